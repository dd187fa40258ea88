import { BasicError } from "@basic-mllm/core";

import { cannotExport, stepsOf } from "./tokenizer-parts.js";

/** Parts of a tokenizer.json that a pre-tokenizer's name stands for. */
export interface PreTokenizer {
  readonly normalizer: object | null;
  readonly preTokenizer: object;
  /** Llama 3: a whole word that is a token is not merged from parts. */
  readonly ignoreMerges: boolean;
}

const byteLevel = (useRegex: boolean) => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});

const isolate = (regex: string) => ({
  type: "Split",
  pattern: { Regex: regex },
  behavior: "Isolated",
  invert: false,
});

const sequence = (...steps: readonly object[]) => ({ type: "Sequence", pretokenizers: steps });

const CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

/** Words of Llama 3 and Qwen 2, which part in how many digits make one. */
const words = (digits: string) =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const gpt2: PreTokenizer = { normalizer: null, preTokenizer: byteLevel(true), ignoreMerges: false };

/** Digits stand alone, the rest is GPT-2's. */
const smollm: PreTokenizer = {
  normalizer: null,
  preTokenizer: sequence(isolate("\\p{N}"), byteLevel(true)),
  ignoreMerges: false,
};

const llama3: PreTokenizer = {
  normalizer: null,
  preTokenizer: sequence(isolate(words("\\p{N}{1,3}")), byteLevel(false)),
  ignoreMerges: true,
};

const qwen2: PreTokenizer = {
  normalizer: { type: "NFC" },
  preTokenizer: sequence(isolate(words("\\p{N}")), byteLevel(false)),
  ignoreMerges: false,
};

/** What llama.cpp does where a file names none. */
const unnamed: PreTokenizer = {
  normalizer: null,
  preTokenizer: sequence(
    isolate("[\\p{P}\\$\\+<=>\\^~\\|]+"),
    isolate("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"),
    isolate("\\p{N}+"),
    isolate("[0-9][0-9][0-9]"),
    byteLevel(false),
  ),
  ignoreMerges: false,
};

/** By the values of `tokenizer.ggml.pre`. */
const preTokenizers: ReadonlyMap<string, PreTokenizer> = new Map([
  ["default", unnamed],
  ["gpt-2", gpt2],
  ["olmo", gpt2],
  ["phi-2", gpt2],
  ["smollm", smollm],
  ["starcoder", smollm],
  ["refact", smollm],
  ["llama-bpe", llama3],
  ["llama3", llama3],
  ["qwen2", qwen2],
  ["deepseek-r1-qwen", qwen2],
]);

/** @throws `BasicError` `E_TOKENIZER` for a name that we do not know: its splits would be wrong. */
export function preTokenizerOf(name: string, where: string): PreTokenizer {
  const found = preTokenizers.get(name);
  if (found !== undefined) return found;
  throw new BasicError(
    "E_TOKENIZER",
    `${where}: \`tokenizer.ggml.pre\` is "${name.slice(0, 60)}", which is not supported. Supported are: ${[...preTokenizers.keys()].join(", ")}. ` +
      "Use the tokenizer.json of the original model.",
  );
}

/** Names to write, for what stands beside each other in a tokenizer.json. */
const writtenNames = ["gpt-2", "smollm", "llama-bpe", "qwen2", "default"] as const;

/**
 * The value of `tokenizer.ggml.pre` for a tokenizer.json whose splits are known, in the spelling of this library or of the
 * model's own file.
 *
 * @throws `BasicError` `E_TOKENIZER` for other splits.
 */
export function nameOfPreTokenizer(tokenizer: Readonly<Record<string, unknown>>): string {
  const { ignore_merges: ignoreMerges } = (tokenizer["model"] ?? {}) as { ignore_merges?: unknown };
  const given = signature(tokenizer["normalizer"], tokenizer["pre_tokenizer"], ignoreMerges === true);
  const found = writtenNames.find((name) => {
    const known = preTokenizers.get(name);
    return known && signature(known.normalizer, known.preTokenizer, known.ignoreMerges) === given;
  });
  if (found !== undefined) return found;
  throw cannotExport(
    `it splits texts as ${JSON.stringify(tokenizer["pre_tokenizer"])?.slice(0, 200)} after the normalizer ` +
      `${JSON.stringify(tokenizer["normalizer"])?.slice(0, 80)}, which is none of ${writtenNames.join(", ")}`,
  );
}

/** A text that is equal for parts that split alike. */
function signature(normalizer: unknown, preTokenizer: unknown, ignoreMerges: boolean): string {
  const normalizers = stepsOf(normalizer, "normalizers").map(({ type }) => type);
  return JSON.stringify([normalizers, stepsOf(preTokenizer, "pretokenizers").map(canonical), ignoreMerges]);
}

function canonical(step: Readonly<Record<string, unknown>>): unknown {
  switch (step["type"]) {
    case "Digits":
      return step["individual_digits"] === true ? canonical(isolate("\\p{N}")) : step;
    case "ByteLevel":
      return ["ByteLevel", step["add_prefix_space"] === true, step["use_regex"] !== false];
    case "Split": {
      const { Regex: regex } = (step["pattern"] ?? {}) as { Regex?: unknown };
      if (typeof regex !== "string" || step["behavior"] !== "Isolated" || step["invert"] === true)
        return step;
      return ["Split", regex.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", CONTRACTIONS)];
    }
    default:
      return step;
  }
}

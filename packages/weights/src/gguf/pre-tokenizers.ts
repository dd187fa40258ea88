import { BasicError } from "@basic-mllm/core";

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

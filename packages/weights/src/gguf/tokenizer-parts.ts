import { BasicError } from "@basic-mllm/core";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What a tokenizer is exported from: the contents of tokenizer.json and tokenizer_config.json. */
export interface TokenizerSource {
  readonly tokenizer: JsonObject;
  readonly config: JsonObject;
}

/** A token that is cut out of a text before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/** The parts of a BPE tokenizer that GGUF keeps. */
export interface BpeParts {
  readonly kind: "gpt2" | "llama";
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly merges: readonly (readonly [string, string])[];
  readonly added: readonly AddedToken[];
  readonly unknown: string | undefined;
}

/**
 * The parts of a tokenizer.json that GGUF can keep: a byte-level BPE, or SentencePiece's with bytes for what it does not
 * know.
 *
 * @throws `BasicError` `E_TOKENIZER` for another kind.
 */
export function readBpe(tokenizer: JsonObject): BpeParts {
  const model = (tokenizer["model"] ?? {}) as JsonObject;
  if (model["type"] !== "BPE") {
    throw cannotExport(`its model is ${String(model["type"])}, supported is BPE`);
  }
  const kind = stepsOf(tokenizer["pre_tokenizer"], "pretokenizers").some(({ type }) => type === "ByteLevel")
    ? "gpt2"
    : "llama";
  if (kind === "llama" && model["byte_fallback"] !== true) {
    throw cannotExport(
      "it is a BPE without bytes: supported are byte-level ones, and SentencePiece's with byte_fallback",
    );
  }
  const merges = (model["merges"] ?? []) as readonly (string | readonly [string, string])[];
  const added = (tokenizer["added_tokens"] ?? []) as readonly JsonObject[];
  const unknown = model["unk_token"];
  return {
    kind,
    vocabulary: new Map(Object.entries((model["vocab"] ?? {}) as Readonly<Record<string, number>>)),
    merges: merges.map((merge) => (typeof merge === "string" ? splitMerge(merge) : merge)),
    added: added.map(({ id, content, special }) => {
      return { id: Number(id), content: String(content), special: special === true };
    }),
    unknown: typeof unknown === "string" ? unknown : undefined,
  };
}

function splitMerge(merge: string): readonly [string, string] {
  const at = merge.indexOf(" ", 1);
  return [merge.slice(0, at), merge.slice(at + 1)];
}

/** A part, or those of a sequence. */
export function stepsOf(part: unknown, list: string): readonly JsonObject[] {
  if (typeof part !== "object" || part === null) return [];
  const own = part as JsonObject;
  const inner = own[list];
  return own["type"] === "Sequence" && Array.isArray(inner) ? (inner as JsonObject[]) : [own];
}

/** `E_TOKENIZER` for a tokenizer that GGUF cannot hold. */
export function cannotExport(problem: string): BasicError {
  return new BasicError(
    "E_TOKENIZER",
    `A GGUF file cannot hold this tokenizer: ${problem}. Export to a Hugging Face folder instead, or train on a language model whose tokenizer llama.cpp has.`,
  );
}

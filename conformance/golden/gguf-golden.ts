import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Samples of a tensor's values, as stored: in llama.cpp's order of rows. */
export interface DequantisedTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly sum: number;
  readonly abs_sum: number;
}

/** A prompt, and what follows it with dequantised weights in float32. */
export interface GoldenPrompt {
  readonly name: string;
  readonly text: string;
  readonly tokens: readonly number[];
  readonly dequantised: {
    readonly top5: readonly (readonly [token: number, logit: number])[];
    readonly greedy: readonly number[];
    /** How near the second token came, for each token. */
    readonly greedy_margins: readonly number[];
    readonly text: string;
    /** Mean of −log P over the tokens of the prompt but the first. */
    readonly mean_nll: number;
  };
}

/** A text and its tokens. */
export interface TokenizedText {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly detokenized: string;
}

/** What `golden/gguf` knows of one file. */
export interface GgufGolden {
  readonly source: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly chat_template: string;
  readonly vocab: number;
  readonly merges: number;
  readonly token_types: Readonly<Record<string, number>>;
  readonly tensor_types: Readonly<Record<string, number>>;
  readonly tensors: number;
  readonly dequantised: readonly DequantisedTensor[];
  readonly tokenize: readonly TokenizedText[];
  readonly prompts: readonly GoldenPrompt[];
  readonly tolerance: { readonly "dequantised.top5": number };
}

/** Fields that the checks know; `llama_cpp` of a prompt is of 8-bit activations, which we do not have. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  file: [
    ...["source", "bytes", "sha256", "metadata", "chat_template", "vocab", "merges", "token_types"],
    ...["tensor_types", "tensors", "dequantised", "tokenize", "prompts", "tolerance"],
  ],
  dequantised: ["name", "type", "shape", "first", "last", "sum", "abs_sum", "note"],
  tokenize: ["text", "tokens", "detokenized"],
  prompts: ["name", "text", "tokens", "dequantised", "llama_cpp", "max_abs_logit_difference"],
  expected: ["top5", "greedy", "greedy_margins", "text", "mean_nll"],
  tolerance: ["dequantised.top5", "note"],
};

/** The goldens of a folder by file name. Throws where one has a field that no check knows. */
export function readGgufGoldens(folder: string): readonly (readonly [name: string, golden: GgufGolden])[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => {
    const golden = JSON.parse(readFileSync(join(folder, name), "utf8")) as GgufGolden;
    checkFields("file", [golden], name);
    checkFields("dequantised", golden.dequantised, name);
    checkFields("tokenize", golden.tokenize, name);
    checkFields("prompts", golden.prompts, name);
    const expected = golden.prompts.map(({ dequantised }) => dequantised);
    checkFields("expected", expected, name);
    checkFields("tolerance", [golden.tolerance], name);
    return [name, golden];
  });
}

function checkFields(part: keyof typeof KNOWN, records: readonly object[], file: string): void {
  const known = KNOWN[part] ?? [];
  const unknown = records.flatMap((record) => Object.keys(record)).find((field) => !known.includes(field));
  if (unknown !== undefined) throw new Error(`${file}: unknown field ${unknown} in ${part}`);
}

/** Where the file that a golden speaks of lies. Throws where it has not been fetched. */
export function pathOfFile({ source }: GgufGolden, ggufFolder: string): string {
  const path = join(ggufFolder, source.split("/").at(-1) ?? "");
  if (existsSync(path)) return path;
  throw new Error(`there is no file ${path}. Fetch it with: node scripts/fetch-gguf.mjs`);
}

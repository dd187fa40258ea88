import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

import { createTokenizer, type TextTokenizer } from "@basic-mllm/data";
import { generate } from "@basic-mllm/evaluate";
import {
  type GgufFile,
  type GgufModel,
  type GgufOptions,
  loadGguf,
  openGguf,
  readGgufTokenizer,
} from "@basic-mllm/weights";
import {
  type DequantisedTensor,
  type GgufGolden,
  type GoldenPrompt,
  pathOfFile,
  readGgufGoldens,
  type TokenizedText,
} from "./gguf-golden.js";
import type { CaseResult } from "./golden-case.js";
import { packPadded } from "./padded.js";
import type { Check } from "./runner.js";

/** GGUF files: header, values, tokens, and what the model says, in both ways to keep its weights without loss. */
export function ggufFamily(folder: string, ggufFolder: string): readonly Check[] {
  return readGgufGoldens(folder).flatMap(([name, golden]) => {
    const check = (part: string, body: (path: string, notes: Notes) => Promise<void>): Check => ({
      name: `${name}: ${part}`,
      run: async () => {
        const notes = new Notes();
        await body(pathOfFile(golden, ggufFolder), notes);
        return notes.result;
      },
    });
    const prompts = (storage: NonNullable<GgufOptions["storage"]>) =>
      check(`prompts, storage ${storage}`, (path, notes) =>
        withModel(path, storage, (model) => checkPrompts(golden, model, notes)),
      );
    return [
      check("file", (path, notes) => checkFile(golden, path, notes)),
      check("header", (path, notes) => withFile(path, (file) => checkHeader(golden, file, notes))),
      check("dequantised", (path, notes) =>
        withFile(path, (file) => {
          for (const tensor of golden.dequantised) checkTensor(tensor, file, notes);
        }),
      ),
      check("tokenize", (path, notes) => withFile(path, (file) => checkTokenizer(golden, file, notes))),
      prompts("f32"),
      prompts("file"),
    ];
  });
}

/** Collects what differs. */
class Notes {
  readonly #problems: string[] = [];
  #worst = 0;

  get result(): CaseResult {
    return { worst: this.#worst, problems: this.#problems };
  }

  same(what: string, actual: unknown, expected: unknown): void {
    const [found, wanted] = [text(actual), text(expected)];
    if (found !== wanted) this.#problems.push(`${what}: ${found}, expected ${wanted}`);
  }

  near(what: string, [actual, expected]: readonly [number, number], tolerance: number): void {
    const error = Math.abs(actual - expected);
    this.#worst = Math.max(this.#worst, error / tolerance);
    if (!(error <= tolerance)) this.#problems.push(`${what}: ${actual}, expected ${expected} ± ${tolerance}`);
  }
}

function text(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? Number(inner) : inner)) ??
    "none"
  );
}

async function checkFile(golden: GgufGolden, path: string, notes: Notes): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  notes.same("bytes", bytes, golden.bytes);
  notes.same("sha256", hash.digest("hex"), golden.sha256);
}

function checkHeader(golden: GgufGolden, file: GgufFile, notes: Notes): void {
  for (const [name, value] of Object.entries(golden.metadata))
    notes.same(name, file.metadata.get(name), value);
  const list = (name: string) => (file.metadata.get(`tokenizer.ggml.${name}`) ?? []) as readonly unknown[];
  notes.same("chat_template", file.metadata.get("tokenizer.chat_template"), golden.chat_template);
  notes.same("vocab", list("tokens").length, golden.vocab);
  notes.same("merges", list("merges").length, golden.merges);
  notes.same("tensors", file.names.length, golden.tensors);
  checkCounts("token_types", list("token_type"), { expected: golden.token_types, notes });
  const types = file.names.map((name) => file.entry(name).type);
  checkCounts("tensor_types", types, { expected: golden.tensor_types, notes });
}

function checkCounts(
  what: string,
  values: readonly unknown[],
  { expected, notes }: { readonly expected: Readonly<Record<string, number>>; readonly notes: Notes },
): void {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
  const sorted = (entries: Iterable<readonly [string, number]>) =>
    [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  notes.same(what, sorted(counts), sorted(Object.entries(expected)));
}

/** Sums are of the same values in the same order, in double precision. */
const SUM_TOLERANCE = 1e-12;

function checkTensor(expected: DequantisedTensor, file: GgufFile, notes: Notes): void {
  const { name, type, shape, first, last, sum, abs_sum } = expected;
  const entry = file.entry(name);
  notes.same(`${name}: type`, entry.type, type);
  notes.same(`${name}: shape`, entry.shape, shape);
  const values = file.floats(name);
  notes.same(`${name}: first`, [...values.subarray(0, first.length)], first);
  notes.same(`${name}: last`, [...values.subarray(values.length - last.length)], last);
  const total = values.reduce((before, value) => before + value, 0);
  const size = values.reduce((before, value) => before + Math.abs(value), 0);
  notes.near(`${name}: sum`, [total, sum], SUM_TOLERANCE * abs_sum);
  notes.near(`${name}: abs_sum`, [size, abs_sum], SUM_TOLERANCE * abs_sum);
}

function checkTokenizer(golden: GgufGolden, file: GgufFile, notes: Notes): void {
  const read = readGgufTokenizer(file);
  if (read === null) throw new Error("the file has no tokenizer");
  notes.same("chat_template", read.config.chat_template, golden.chat_template);
  const tokenizer = createTokenizer(read.tokenizer, read.config);
  notes.same("size", tokenizer.size, golden.vocab);
  notes.same("bos", tokenizer.special.bos, golden.metadata["tokenizer.ggml.bos_token_id"]);
  notes.same("eos", tokenizer.special.eos, golden.metadata["tokenizer.ggml.eos_token_id"]);
  for (const expected of golden.tokenize) checkText(expected, tokenizer, notes);
  for (const { name, text: given, tokens, dequantised } of golden.prompts) {
    notes.same(name, tokenizer.encode(given), tokens);
    notes.same(`${name}: greedy text`, tokenizer.decode(dequantised.greedy), dequantised.text);
  }
}

function checkText(
  { text: given, tokens, detokenized }: TokenizedText,
  tokenizer: TextTokenizer,
  notes: Notes,
): void {
  const what = JSON.stringify(given);
  notes.same(what, tokenizer.encode(given), tokens);
  // Special tokens stand in the golden's text and vanish in ours.
  const special = tokens.filter((id) => tokenizer.decode([id]) === "").map((id) => tokenizer.word(id));
  const without = special.reduce((rest, word) => rest.replace(word, ""), detokenized);
  notes.same(`${what} and back`, tokenizer.decode(tokens), without);
}

async function checkPrompts(golden: GgufGolden, { language }: GgufModel, notes: Notes): Promise<void> {
  const tolerance = golden.tolerance["dequantised.top5"];
  for (const prompt of golden.prompts) {
    const { packed } = rowsOf(prompt);
    const input = { packed, visual: null };
    const { hidden } = language.forward(input);
    const logits = language.logits(hidden);
    const values = await logits.data<"float32">();
    hidden.dispose();
    logits.dispose();
    checkLogits(prompt, { values, tolerance, notes });
    const { greedy, greedy_margins: margins } = prompt.dequantised;
    const tokens = await generate(language, input, { maxTokens: greedy.length, endOfSequence: null });
    // A closer call may go either way.
    const close = margins.findIndex((margin) => margin <= 2 * tolerance);
    const sure = close < 0 ? greedy.length : close;
    notes.same(`${prompt.name}: greedy`, tokens.slice(0, sure), greedy.slice(0, sure));
  }
}

function checkLogits(
  { name, tokens, dequantised }: GoldenPrompt,
  {
    values,
    tolerance,
    notes,
  }: { readonly values: Float32Array; readonly tolerance: number; readonly notes: Notes },
): void {
  const width = values.length / tokens.length;
  const row = (i: number) => values.subarray(i * width, (i + 1) * width);
  const last = row(tokens.length - 1);
  const best = [...last.keys()].sort((a, b) => (last[b] ?? 0) - (last[a] ?? 0));
  const expected = dequantised.top5.map(([token]) => token);
  notes.same(`${name}: top 5`, best.slice(0, expected.length), expected);
  for (const [token, logit] of dequantised.top5) {
    notes.near(`${name}: logit of ${token}`, [last[token] ?? Number.NaN, logit], tolerance);
  }
  const losses = tokens.slice(1).map((token, i) => logSumExp(row(i)) - (row(i)[token] ?? Number.NaN));
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  // A difference of two numbers that are as near as a logit.
  notes.near(`${name}: mean_nll`, [mean, dequantised.mean_nll], 2 * tolerance);
}

function logSumExp(logits: Float32Array): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
}

function rowsOf({ tokens }: GoldenPrompt) {
  const ids = Int32Array.from(tokens);
  return packPadded({ ids, mask: ids.map(() => 1), labels: null, samples: 1, length: ids.length }, null);
}

async function withFile(path: string, use: (file: GgufFile) => void): Promise<void> {
  const file = await openGguf(path);
  try {
    use(file);
  } finally {
    file.close();
  }
}

async function withModel(
  path: string,
  storage: NonNullable<GgufOptions["storage"]>,
  use: (model: GgufModel) => Promise<void> | void,
): Promise<void> {
  const model = await loadGguf(path, { storage });
  try {
    await use(model);
  } finally {
    model.language.parameters.dispose();
  }
}

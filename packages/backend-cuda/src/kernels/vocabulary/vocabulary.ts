// Products of rows with a vocabulary, a block of logits at a time: a run of rows, then chunks of words in order, with sums that grow.

import type * as tf from "@tensorflow/tfjs-core";
import type { Part } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import { storageOf } from "../../memory/storage.js";
import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { stored } from "../convert/convert.js";
import { ELEMENTWISE, overElements } from "../elementwise.js";
import { multiply } from "../matmul/matmul.js";
import { type Run, rowsOf } from "./plan.js";
import source from "./vocabulary.cu";

/** Some words of the vocabulary `weight` `[V, width]`, for rows that meet them. */
export interface WordChunk {
  readonly weight: tf.TensorInfo;
  readonly words: Run;
  readonly rows: number;
  readonly width: number;
}

/** The words as rows like `x` meet them: in bfloat16 where x is, rounded once for all products of a call. */
export function wordsFor(
  backend: CudaBackend,
  scratch: CudaBackend["allocate"],
  { x, words }: { readonly x: tf.TensorInfo; readonly words: tf.TensorInfo },
): tf.TensorInfo {
  return stored(backend, scratch, { x: words, storage: storageOf(x) });
}

/** `logits = x W'`, where W' are the words of the chunk. */
export function logitsOf(
  backend: CudaBackend,
  { weight, words, rows, width }: WordChunk,
  { x, logits }: { readonly x: tf.TensorInfo | Part; readonly logits: tf.TensorInfo },
): void {
  const sizes = { rows, columns: words.count, depth: width };
  const operands = { left: x, weight: rowsOf(weight, words, width), result: logits };
  multiply(backend, { layout: "nt" }, { ...operands, ...sizes });
}

/** Adds `coefficients W'` to `result`, or writes it there where these are the first words. */
export function addWords(
  backend: CudaBackend,
  { weight, words, rows, width }: WordChunk,
  { coefficients, result }: { readonly coefficients: tf.TensorInfo; readonly result: tf.TensorInfo | Part },
): void {
  const sizes = { rows, columns: width, depth: words.count };
  const operands = { left: coefficients, weight: rowsOf(weight, words, width), result };
  multiply(backend, { layout: "nn", accumulate: words.first > 0 }, { ...operands, ...sizes });
}

/** Multiplies the rows of `x` by their factors. */
export function scaleRows(
  backend: CudaBackend,
  { x, factors, rows, width }: { x: tf.TensorInfo; factors: tf.TensorInfo; rows: number; width: number },
): void {
  const count = rows * width;
  backend.dispatch(scaleProgram, { grid: overElements(count), args: { factors, x, count, width } });
}

/** Rows of `x` into these places of `y`. */
export function placeRows(
  backend: CudaBackend,
  { x, rows, y, width }: { x: tf.TensorInfo; rows: Int32Array; y: tf.TensorInfo; width: number },
): void {
  const count = rows.length * width;
  backend.dispatch(placeProgram, { grid: overElements(count), args: { x, rows, y, count, width } });
}

const scaleProgram = defineProgram({
  name: "scale rows",
  source,
  entry: "scale_rows",
  params: { factors: "pointer", x: "pointer", count: "i64", width: "i32" },
  block: ELEMENTWISE.threads,
  work: ({ factors, count }) => ({ bytes: bytesOf(factors) + 8 * count, flops: count }),
});

const placeProgram = defineProgram({
  name: "place rows",
  source,
  entry: "place_rows",
  params: { x: "pointer", rows: "pointer", y: "pointer", count: "i64", width: "i32" },
  block: ELEMENTWISE.threads,
  work: ({ rows, count }) => ({ bytes: bytesOf(rows) + 8 * count, flops: 0 }),
});

/** Every program of this folder. */
export const vocabularyPrograms = [scaleProgram, placeProgram];

// Products of rows with a vocabulary, a block of logits at a time.
// v1  matmul's tiles; a run of rows, then chunks of words in order, with sums that grow

import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import type { Bindable, Part } from "../../dispatch.js";
import { defineProgram } from "../../program.js";
import { overCount } from "../elementwise.js";
import { multiply } from "../matmul/matmul.js";
import { type Run, rowsOf } from "../parts.js";
import { rowScaleCode } from "./row-scale.wgsl.js";

/** Some words of the vocabulary `weight` `[V, width]`, for rows that meet them. */
export interface WordChunk {
  readonly weight: tf.TensorInfo;
  readonly words: Run;
  readonly rows: number;
  readonly width: number;
}

/** `logits = x W'`, where W' are the words of the chunk. */
export function logitsOf(
  backend: WebGpuBackend,
  { weight, words, rows, width }: WordChunk,
  { x, logits }: { readonly x: Bindable; readonly logits: tf.TensorInfo },
): void {
  const sizes = { rows, columns: words.count, depth: width };
  multiply(backend, {}, { left: x, weight: rowsOf(weight, words, width), result: logits, ...sizes });
}

/** Adds `coefficients W'` to `result`, or writes it there where these are the first words. */
export function addWords(
  backend: WebGpuBackend,
  { weight, words, rows, width }: WordChunk,
  { coefficients, result }: { readonly coefficients: tf.TensorInfo; readonly result: tf.TensorInfo | Part },
): void {
  const what = { layout: "nn", accumulate: words.first > 0 } as const;
  const sizes = { rows, columns: width, depth: words.count };
  multiply(backend, what, { left: coefficients, weight: rowsOf(weight, words, width), result, ...sizes });
}

/** Multiplies the rows of `x` by their factors. */
export function scaleRows(
  backend: WebGpuBackend,
  { x, factors, rows, width }: { x: tf.TensorInfo; factors: tf.TensorInfo; rows: number; width: number },
): void {
  const { uniforms, workgroups } = overCount(rows * width, backend);
  backend.dispatch(scaleProgram, {
    reads: { factors },
    writes: { x },
    uniforms: { ...uniforms, width },
    workgroups,
  });
}

const scaleProgram = defineProgram({
  name: "scale rows",
  reads: { factors: "f32" },
  writes: { x: "f32" },
  uniforms: { count: "u32", width: "u32" },
  code: rowScaleCode,
});

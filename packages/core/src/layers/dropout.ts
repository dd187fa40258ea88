import type * as tf from "@tensorflow/tfjs-core";

import { DROPOUT_STEPS, dropoutKernel } from "../kernels/dropout.js";
import { runKernel } from "../kernels/run.js";
import { randomWords } from "../random.js";

/** Which micro-batch is trained: with a seed and a layer's name it decides every dropped value. */
export interface DropoutKey {
  readonly stage: string;
  /** Optimizer step of the stage, from 0. */
  readonly step: number;
  /** Of the step, over all ranks, from 0. */
  readonly microBatch: number;
}

let current: DropoutKey | null = null;

/** The micro-batch that is trained now; null where nothing is dropped: evaluation, diagnostics, generation. */
export function dropoutKey(): DropoutKey | null {
  return current;
}

/** Runs `compute` with dropout for a micro-batch, or without any. */
export function withDropout<T>(key: DropoutKey | null, compute: () => T): T {
  const outer = current;
  current = key;
  try {
    return compute();
  } finally {
    current = outer;
  }
}

/** Options of {@link dropout}. */
export interface DropoutOptions {
  /** Share of values that become 0, below 1; in steps of 2^-16. */
  readonly probability: number;
  readonly seed: number;
  /** Of the layer: each drops values of its own. */
  readonly name: string;
}

/**
 * `x · mask / (1 − p)` while a micro-batch is trained ({@link withDropout}), else `x` itself.
 *
 * The mask is a function of seed, name, stage, step and micro-batch: a step needs no history, and a block that is run
 * again for its gradient drops the same values. Nothing is kept for the gradient, which draws the mask again.
 *
 * @param x - `[R, I]`.
 */
export function dropout(x: tf.Tensor2D, { probability, seed, name }: DropoutOptions): tf.Tensor2D {
  if (current === null || probability === 0) return x;
  const { stage, step, microBatch } = current;
  const stream = randomWords(seed, "dropout", name, stage, step, microBatch);
  const rounded = Math.round(probability * DROPOUT_STEPS) / DROPOUT_STEPS;
  return runKernel(dropoutKernel, { x }, { probability: rounded, stream })[0] as tf.Tensor2D;
}

import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { bindShapes } from "../shape.js";
import { hostLogits, hostLogSumExp, largeLogits, seededValues } from "./case-values.js";
import { DEFAULT_CHUNK_BYTES } from "./chunks.js";
import type { KernelCase, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** Attributes of {@link linearKl}. */
export type LinearKlAttrs = {
  /** Largest block of logits held at once, in bytes: a fast body never stores `[N, V]`. */
  readonly chunkBytes: number;
  /**
   * Also returns `slope`: worth it where v will need a gradient, since the logits are not computed again for it.
   * Default false.
   */
  readonly withSlope?: boolean;
};

/** Attributes of {@link linearKlBackward}. Without `needsRefined` it returns `dv` alone. */
export type LinearKlBackwardAttrs = { readonly chunkBytes: number; readonly needsRefined: boolean };

/** Inputs of the contract. */
export type LinearKlInput = "v" | "r" | "vocabulary" | "a";
/** Inputs of the contract. */
export type LinearKlBackwardInput = "dloss" | LinearKlInput | "kl" | "lseV" | "lseR";

/**
 * `loss_j = a_j KL( softmax(r_j Eᵀ) ‖ softmax(v_j Eᵀ) )`.
 *
 * N rows of width D, V words: `v` and `r` `[N, D]`, `vocabulary` E `[V, D]`, `a` `[N]`. Outputs, each `[N]`: `loss`,
 * `kl` (without `a`), `lseV` and `lseR` (log-sum-exp of the two rows of logits); only `loss` carries a gradient,
 * and only to v and r. With `withSlope` also `slope` `[N, D]`: row j is ∂kl_j/∂v_j, without gradient.
 * Source: BASIC (arXiv:2508.06895), equation 7.
 */
export const linearKl: KernelContract<LinearKlInput, LinearKlAttrs> = {
  name: "BasicLinearKl",
  inputs: ["v", "r", "vocabulary", "a"],
  infer: ({ v, r, vocabulary, a }, { withSlope = false }) => {
    bindShapes("linearKl", { v: ["ND", v], r: ["ND", r], vocabulary: ["VD", vocabulary], a: ["N", a] });
    return [a, a, a, a, ...(withSlope ? [v] : [])];
  },
  reference: ({ v, r, vocabulary, a }, { withSlope = false }) =>
    tf.tidy(() => {
      if (a.size === 0)
        return [...[0, 1, 2, 3].map(() => tf.zeros([0])), ...(withSlope ? [tf.zerosLike(v)] : [])];
      const ours = logSoftmaxRows(v, vocabulary);
      const target = logSoftmaxRows(r, vocabulary);
      const gap = tf.sub(target.logSoftmax, ours.logSoftmax);
      const kl = tf.sum(tf.mul(tf.exp(target.logSoftmax), gap), 1);
      const results = [tf.mul(a, kl), detach(kl), ours.logSumExp, target.logSumExp];
      if (!withSlope) return results;
      const [p, q] = [ours, target].map(({ logSoftmax }) => tf.exp(detach(logSoftmax))) as [
        tf.Tensor,
        tf.Tensor,
      ];
      return [...results, tf.matMul(tf.sub(p, q), detach(vocabulary))];
    }),
  save: { inputs: ["v", "r", "vocabulary", "a"], outputs: [false, true, true, true, true] },
  gradient: ([dloss], { inputs, outputs }, { chunkBytes }, needs) => {
    const saved = inputs as Record<LinearKlInput, tf.Tensor>;
    const [kl, lseV, lseR, slope] = outputs as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor?];
    const needsRefined = needs.has("r");
    if (slope !== undefined && !needsRefined) {
      return { v: tf.mul(slope, tf.reshape(tf.mul(dloss as tf.Tensor, saved.a), [-1, 1])) };
    }
    const [dv, dr] = runKernel(
      linearKlBackward,
      { dloss: dloss as tf.Tensor, ...saved, kl, lseV, lseR },
      { chunkBytes, needsRefined },
    ) as [tf.Tensor, tf.Tensor];
    return { v: dv, ...(needsRefined && { r: dr }) };
  },
  differentiable: ["v", "r"],
  cases: klSizes().flatMap((size, seed) =>
    [false, true].map((withSlope) => ({
      title: withSlope ? `${size.title}, with the slope` : size.title,
      inputs: operands(size, seed),
      attrs: { chunkBytes: size.chunkBytes ?? DEFAULT_CHUNK_BYTES, withSlope },
      ...(size.large && { tolerance: largeLogits.forward }),
    })),
  ),
  // A divergence is a difference of two logits, each as large as the largest one.
  tolerance: { absolute: 2e-6, relative: 4e-6 },
};

/**
 * With `p = softmax(v Eᵀ)` and `q = softmax(r Eᵀ)`: `dv_j = dloss_j a_j (p_j − q_j) E` and
 * `dr_j = dloss_j a_j Σ_t q_t (log q_t − log p_t − kl_j) E_t`.
 *
 * `dloss`, `a`, `kl`, `lseV`, `lseR` `[N]`; `v`, `r`, `dv`, `dr` `[N, D]`; `vocabulary` `[V, D]`.
 */
export const linearKlBackward: KernelContract<LinearKlBackwardInput, LinearKlBackwardAttrs> = {
  name: "BasicLinearKlBackward",
  inputs: ["dloss", "v", "r", "vocabulary", "a", "kl", "lseV", "lseR"],
  infer: ({ dloss, v, r, vocabulary, a, kl, lseV, lseR }, { needsRefined }) => {
    bindShapes("linearKlBackward", {
      dloss: ["N", dloss],
      v: ["ND", v],
      r: ["ND", r],
      vocabulary: ["VD", vocabulary],
      a: ["N", a],
      kl: ["N", kl],
      lseV: ["N", lseV],
      lseR: ["N", lseR],
    });
    return needsRefined ? [v, r] : [v];
  },
  reference: ({ dloss, v, r, vocabulary, a, kl, lseV, lseR }, { needsRefined }) =>
    tf.tidy(() => {
      if (a.size === 0) return needsRefined ? [tf.zerosLike(v), tf.zerosLike(r)] : [tf.zerosLike(v)];
      const column = (x: tf.Tensor) => tf.reshape(x, [-1, 1]);
      const logP = tf.sub(tf.matMul(v, vocabulary, false, true), column(lseV));
      const logQ = tf.sub(tf.matMul(r, vocabulary, false, true), column(lseR));
      const factor = column(tf.mul(dloss, a));
      const q = tf.exp(logQ);
      const dv = tf.matMul(tf.mul(tf.sub(tf.exp(logP), q), factor), vocabulary);
      if (!needsRefined) return [dv];
      const slope = tf.mul(q, tf.sub(tf.sub(logQ, logP), column(kl)));
      return [dv, tf.matMul(tf.mul(slope, factor), vocabulary)];
    }),
  save: { inputs: [], outputs: [false, false] },
  gradient: null,
  differentiable: [],
  cases: klSizes().flatMap((size, seed) =>
    [false, true].map((needsRefined) => ({
      title: needsRefined ? `${size.title}, with the refined rows' gradient` : size.title,
      inputs: backwardOperands(size, seed),
      attrs: { chunkBytes: size.chunkBytes ?? DEFAULT_CHUNK_BYTES, needsRefined },
      ...(size.large && { tolerance: largeLogits.backward }),
    })),
  ),
  // p − q cancels where the rows agree, and each carries the rounding of a logit.
  tolerance: { absolute: 2e-6, relative: 4e-6 },
};

/** `log softmax(x Eᵀ)` `[N, V]`, and the log-sum-exp `[N]` as a constant. */
function logSoftmaxRows(
  x: tf.Tensor,
  vocabulary: tf.Tensor,
): { logSoftmax: tf.Tensor; logSumExp: tf.Tensor } {
  const logits = tf.matMul(x, vocabulary, false, true);
  const largest = detach(tf.max(logits, 1, true));
  const shifted = tf.sub(logits, largest);
  const logSum = tf.log(tf.sum(tf.exp(shifted), 1, true));
  const logSumExp = tf.reshape(tf.add(detach(logSum), largest), [-1]);
  return { logSoftmax: tf.sub(shifted, logSum), logSumExp };
}

interface KlSize {
  readonly title: string;
  readonly rows: number;
  readonly width: number;
  readonly words: number;
  readonly scale?: number;
  readonly chunkBytes?: number;
  readonly large?: boolean;
}

function klSizes(): readonly KlSize[] {
  return [
    { title: "odd shape", rows: 5, width: 7, words: 41 },
    { title: "one row", rows: 1, width: 3, words: 129 },
    { title: "one word", rows: 2, width: 3, words: 1 },
    { title: "logits around 1e3", rows: 4, width: 8, words: 13, scale: 18, large: true },
    { title: "rows near zero", rows: 4, width: 8, words: 13, scale: 1e-4 },
    { title: "chunks that do not divide the rows", rows: 7, width: 5, words: 37, chunkBytes: 3 * 37 * 4 },
    { title: "a chunk smaller than one row", rows: 3, width: 5, words: 37, chunkBytes: 64 },
    { title: "no rows", rows: 0, width: 5, words: 7 },
  ];
}

function operands({ rows, width, words, scale }: KlSize, seed: number) {
  return {
    v: { shape: [rows, width], values: seededValues(rows * width, 4 * seed + 1, scale) },
    r: { shape: [rows, width], values: seededValues(rows * width, 4 * seed + 2, scale) },
    vocabulary: { shape: [words, width], values: seededValues(words * width, 4 * seed + 3, scale) },
    a: { shape: [rows], values: seededValues(rows, 4 * seed + 4).map(Math.abs) },
  };
}

/** Operands whose log-sum-exps and divergences belong to them. */
function backwardOperands(
  size: KlSize,
  seed: number,
): KernelCase<LinearKlBackwardInput, LinearKlBackwardAttrs>["inputs"] {
  const inputs = operands(size, seed);
  const shape = [size.rows];
  const [ours, target] = [inputs.v, inputs.r].map(({ values }) =>
    hostLogits(values, inputs.vocabulary.values, size.width),
  ) as [number[][], number[][]];
  const [lseV, lseR] = [ours.map(hostLogSumExp), target.map(hostLogSumExp)];
  const kl = target.map((row, j) => {
    const [lv, lr] = [lseV[j] ?? 0, lseR[j] ?? 0];
    return row.reduce(
      (sum, logit, t) => sum + Math.exp(logit - lr) * (logit - lr - (ours[j]?.[t] ?? 0) + lv),
      0,
    );
  });
  return {
    dloss: { shape },
    ...inputs,
    kl: { shape, values: kl.map(Math.fround) },
    lseV: { shape, values: lseV.map(Math.fround) },
    lseR: { shape, values: lseR.map(Math.fround) },
  };
}

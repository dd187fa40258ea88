import * as tf from "@tensorflow/tfjs-core";

import { bindShapes } from "../shape.js";
import { cachedAttention, checkCachedRows, checkHeads } from "./cached-attention.js";
import type { Inputs, KernelContract } from "./contract.js";
import { decoderBlockCases } from "./decoder-block-cases.js";
import { checkWeight, frozenLinear } from "./frozen-linear.js";
import { type GatedActivationAttrs, gatedActivation } from "./gated-activation.js";
import type { Storage } from "./quantised.js";
import { rmsNorm } from "./rms-norm.js";
import { rotary } from "./rotary.js";

/** The matrices of a block. */
export type DecoderBlockMatrix = "query" | "key" | "value" | "output" | "gate" | "up" | "down";

/** Inputs of {@link decoderBlock}. */
export type DecoderBlockInput = "x" | "keys" | "values" | "attentionNorm" | "mlpNorm" | DecoderBlockMatrix;

/** How each matrix is stored. */
export type DecoderBlockStorage = { readonly [M in DecoderBlockMatrix as `${M}Storage`]: Storage };

/** Attributes of {@link decoderBlock}. S samples, R rows. */
export type DecoderBlockAttrs = DecoderBlockStorage & {
  /** `[S + 1]` and `[S]`: as for {@link cachedAttention}. */
  readonly offsets: Int32Array;
  readonly starts: Int32Array;
  /** `[R]`: position of each row in its sample. */
  readonly positions: Int32Array;
  /** Radians per position; twice as many columns of a head turn. */
  readonly frequencies: Float32Array;
  /** Factor of the columns that turn. */
  readonly rotaryScale: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  /** F: width of the gated layer. */
  readonly inner: number;
  /** Factor, window and cap of the scores: as for {@link cachedAttention}. */
  readonly scale: number;
  readonly window: number;
  readonly softcap: number;
  /** Of both norms, as for {@link rmsNorm}. */
  readonly epsilon: number;
  readonly addOne: boolean;
  readonly activation: GatedActivationAttrs["kind"];
};

/**
 * A block of a decoder on new rows, with the rows before them in buffers: `m = x + o(attention(norm(x)))`, then
 * `m + down(act(gate(norm(m))) · up(norm(m)))`, with rotary positions and without biases, as in Llama.
 *
 * `x` and the first output are `[R, D]`; `keys`, `values` `[S, N, G·w]` are those of {@link cachedAttention} and the other
 * outputs; the norms `[D]`; matrices as the weight of {@link frozenLinear}.
 *
 * One call for some fifteen: for a single row these take longer to call than to compute. An update contract.
 */
export const decoderBlock: KernelContract<DecoderBlockInput, DecoderBlockAttrs> = {
  name: "BasicDecoderBlock",
  inputs: [
    ...(["x", "keys", "values", "attentionNorm", "mlpNorm"] as const),
    ...(["query", "key", "value", "output", "gate", "up", "down"] as const),
  ],
  infer: (shapes, attrs) => {
    checkBlock(shapes, attrs);
    return [shapes.x, shapes.keys, shapes.values];
  },
  reference: (inputs, attrs) => tf.tidy(() => runBlock(inputs, attrs)),
  save: { inputs: [], outputs: [false, false, false] },
  gradient: null,
  differentiable: [],
  cases: decoderBlockCases(),
  // Seven products, two norms and a softmax one after the other.
  tolerance: { absolute: 4e-6, relative: 1.6e-5 },
};

/** Features in and out of a matrix. */
function sizeOf(matrix: DecoderBlockMatrix, width: number, attrs: DecoderBlockAttrs): [number, number] {
  const { heads, kvHeads, headWidth, inner } = attrs;
  switch (matrix) {
    case "query":
      return [width, heads * headWidth];
    case "key":
    case "value":
      return [width, kvHeads * headWidth];
    case "output":
      return [heads * headWidth, width];
    case "gate":
    case "up":
      return [width, inner];
    case "down":
      return [inner, width];
  }
}

const matrices: readonly DecoderBlockMatrix[] = ["query", "key", "value", "output", "gate", "up", "down"];

function checkBlock(shapes: Inputs<DecoderBlockInput, readonly number[]>, attrs: DecoderBlockAttrs): void {
  const where = "decoderBlock";
  const { x, keys, values, attentionNorm, mlpNorm } = shapes;
  const { heads, kvHeads, headWidth, positions } = attrs;
  const { R, D } = bindShapes(where, {
    x: ["RD", x],
    positions: ["R", [positions.length]],
    attentionNorm: ["D", attentionNorm],
    mlpNorm: ["D", mlpNorm],
  }) as { R: number; D: number };
  bindShapes(where, { keys: ["SNC", keys], values: ["SNC", values], keyHeads: ["C", [kvHeads * headWidth]] });
  checkHeads(where, [heads * headWidth, kvHeads * headWidth], attrs);
  checkCachedRows(where, { rows: R, buffer: keys }, attrs);
  rotary.infer({ x: [R, heads * headWidth] }, turns(attrs, heads));
  for (const matrix of matrices) {
    const [inFeatures, outFeatures] = sizeOf(matrix, D, attrs);
    const storage = attrs[`${matrix}Storage`];
    checkWeight(where, shapes[matrix], { storage, inFeatures, outFeatures }, matrix);
  }
}

function turns(attrs: DecoderBlockAttrs, heads: number) {
  const { positions, frequencies, rotaryScale: scale } = attrs;
  return { heads, rotaryWidth: 2 * frequencies.length, positions, frequencies, scale, inverse: false };
}

function runBlock(inputs: Inputs<DecoderBlockInput, tf.Tensor>, attrs: DecoderBlockAttrs): tf.Tensor[] {
  const { x, keys, values, attentionNorm, mlpNorm } = inputs;
  const { offsets, starts, heads, kvHeads, scale, window, softcap, epsilon, addOne } = attrs;
  const width = x.shape[1] as number;
  const norm = (rows: tf.Tensor, weight: tf.Tensor) =>
    rmsNorm.reference({ x: rows, weight }, { epsilon, addOne })[0] as tf.Tensor;
  const product = (rows: tf.Tensor, matrix: DecoderBlockMatrix) => {
    const [inFeatures, outFeatures] = sizeOf(matrix, width, attrs);
    const storage = attrs[`${matrix}Storage`];
    const weight = inputs[matrix];
    return frozenLinear.reference({ x: rows, weight }, { storage, inFeatures, outFeatures })[0] as tf.Tensor;
  };
  const turned = (rows: tf.Tensor, count: number) =>
    rotary.reference({ x: rows }, turns(attrs, count))[0] as tf.Tensor;
  const rows = norm(x, attentionNorm);
  const [y, newKeys, newValues] = cachedAttention.reference(
    {
      q: turned(product(rows, "query"), heads),
      k: turned(product(rows, "key"), kvHeads),
      v: product(rows, "value"),
      keys,
      values,
    },
    { offsets, starts, heads, kvHeads, scale, window, softcap },
  ) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const middle = tf.add(x, product(y, "output"));
  const again = norm(middle, mlpNorm);
  const halves = { gate: product(again, "gate"), up: product(again, "up") };
  const mixed = gatedActivation.reference(halves, { kind: attrs.activation })[0] as tf.Tensor;
  return [tf.add(middle, product(mixed, "down")), newKeys, newValues];
}

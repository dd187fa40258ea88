import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { randomFromWords } from "../random.js";
import { bindShapes } from "../shape.js";
import type { KernelCase, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** A probability is a whole number of these parts: 16 random bits decide on a value. */
export const DROPOUT_STEPS = 2 ** 16;

/** Attributes of {@link dropoutKernel}. */
export type DropoutAttrs = {
  /** Share of values that become 0: a multiple of 1 / {@link DROPOUT_STEPS}, below 1. */
  readonly probability: number;
  /** Seed and stream of the random bits, of `randomWords`. */
  readonly stream: Int32Array;
};

const EDGES = [0, -0, 1e-12, -1e-12, 1e3, -1e3, 1, -1, 0.5, -0.5, 3, -3, 6, -6, 12, -12];
const STREAM = Int32Array.of(7, 0, 0x1234567, -5);
const values = (shape: readonly number[], probability: number): KernelCase<"x", DropoutAttrs> => ({
  title: `${shape.join(" x ")}, p ${probability}`,
  inputs: { x: { shape } },
  attrs: { probability, stream: STREAM },
});

/**
 * `y = x · mask / (1 − p)`. `x` and `y` are `[R, F]`.
 *
 * Value e, counted row-major, is dropped where its 16 random bits are below `2^16 p`: bits `16 (e mod 2)` and up of word
 * `⌊e / 2⌋ mod 4` of Philox's block `⌊e / 8⌋` under the stream. The mask is never stored: the gradient is the same kernel on
 * `dy`.
 *
 * Sources: dropout, Srivastava et al. 2014; Philox4x32-10, Salmon et al. 2011.
 */
export const dropoutKernel: KernelContract<"x", DropoutAttrs> = {
  name: "BasicDropout",
  inputs: ["x"],
  infer: ({ x }, attrs) => {
    bindShapes("dropout", { x: ["RF", x] });
    checkAttrs(attrs);
    return [x];
  },
  reference: ({ x }, { probability, stream }) => {
    const kept = randomFromWords(stream).fillMask(new Uint8Array(x.size), probability);
    const mask = Float32Array.from(kept, (one) => one / (1 - probability));
    return [tf.tidy(() => tf.mul(x, tf.tensor(mask, x.shape)))];
  },
  save: { inputs: [], outputs: [false] },
  gradient: ([dy], _, attrs) => {
    const [dx] = runKernel(dropoutKernel, { x: dy as tf.Tensor }, attrs);
    return { x: dx as tf.Tensor };
  },
  differentiable: ["x"],
  cases: [
    values([9, 41], 0.25),
    values([1, 1], 0.5),
    values([3, 2], 0),
    values([130, 129], 0.125),
    {
      title: "edge values, nearly all dropped",
      inputs: { x: { shape: [2, 8], values: EDGES } },
      attrs: { probability: 1 - 1 / DROPOUT_STEPS, stream: STREAM },
    },
    {
      title: "another stream",
      inputs: { x: { shape: [5, 7] } },
      attrs: { probability: 0.5, stream: Int32Array.of(-1, 1 << 20, -1, 3) },
    },
  ],
  // One rounding of the factor, one of the product.
  tolerance: { absolute: 1e-7, relative: 2e-7 },
};

function checkAttrs({ probability, stream }: DropoutAttrs): void {
  const isStep = Number.isInteger(probability * DROPOUT_STEPS);
  if (!(isStep && probability >= 0 && probability < 1)) {
    throw new BasicError(
      "E_CONFIG",
      `dropout: \`probability\` must be a multiple of 1/${DROPOUT_STEPS} from 0 up to, but not, 1, got ${probability}. Round it.`,
    );
  }
  if (stream.length === 4) return;
  throw new BasicError(
    "E_CONFIG",
    `dropout: \`stream\` must have 4 words, got ${stream.length}. Take those of randomWords.`,
  );
}

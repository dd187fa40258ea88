import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { bindShapes, formatShape } from "../shape.js";
import type { KernelCase, KernelContract } from "./contract.js";
import { runKernel } from "./run.js";

/** Attributes of {@link rotary}. */
export type RotaryAttrs = {
  /** H: heads side by side in a row. */
  readonly heads: number;
  /** Even number of leading columns of each head that turn; the others pass through. */
  readonly rotaryWidth: number;
  /** `[R]`: position of each row in its sample. */
  readonly positions: Int32Array;
  /** `[rotaryWidth / 2]`: radians per position. */
  readonly frequencies: Float32Array;
  /** Factor of the turned columns: 1, or longrope's attention factor. */
  readonly scale: number;
  /** Turns by the negative angle (the transpose, which the gradient needs). `scale` still multiplies. */
  readonly inverse: boolean;
};

/**
 * Turns pairs of columns of each head: `a' = s (a cos θ − b sin θ)`, `b' = s (b cos θ + a sin θ)`, where a and b are
 * columns j and j + rotaryWidth/2 of a head, `θ = position · frequency_j` and s is `scale`.
 *
 * R rows, H heads of width w: `x` and `y` `[R, H·w]`. Source: arXiv:2104.09864, in the half-rotation layout of
 * Hugging Face's `rotate_half`. Cosines and sines come from a host table in double precision.
 */
export const rotary: KernelContract<"x", RotaryAttrs> = {
  name: "BasicRotary",
  inputs: ["x"],
  infer: ({ x }, attrs) => {
    bindShapes("rotary", {
      x: ["RC", x],
      positions: ["R", [attrs.positions.length]],
      frequencies: ["F", [attrs.frequencies.length]],
    });
    checkWidths(x, attrs);
    return [x];
  },
  reference: ({ x }, attrs) => [tf.tidy(() => rotateHeads(x, attrs))],
  save: { inputs: [], outputs: [false] },
  gradient: ([dy], _saved, attrs) => {
    const [dx] = runKernel(rotary, { x: dy as tf.Tensor }, { ...attrs, inverse: !attrs.inverse });
    return { x: dx as tf.Tensor };
  },
  differentiable: ["x"],
  cases: rotaryCases(),
  // Two products and a sum, with a table rounded once: three roundings of 6e-8.
  tolerance: { absolute: 1e-6, relative: 1e-6 },
};

/**
 * Cosine and sine of each row and frequency, times `scale`, both `[R, rotaryWidth / 2]` row-major. Angles are
 * computed in double precision; the sine is negative for `inverse`. Backends upload this table.
 */
export function rotaryTable(attrs: RotaryAttrs): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const { positions, frequencies, scale } = attrs;
  const sign = attrs.inverse ? -scale : scale;
  const cos = new Float32Array(positions.length * frequencies.length);
  const sin = new Float32Array(cos.length);
  let at = 0;
  for (const position of positions) {
    for (const frequency of frequencies) {
      const angle = position * frequency;
      cos[at] = Math.cos(angle) * scale;
      sin[at] = Math.sin(angle) * sign;
      at++;
    }
  }
  return { cos, sin };
}

function checkWidths(x: readonly number[], { heads, rotaryWidth, frequencies }: RotaryAttrs): void {
  const columns = x[1] as number;
  const width = columns / heads;
  if (!Number.isInteger(width) || heads < 1) {
    throw new BasicError(
      "E_SHAPE",
      `rotary: \`x\` ${formatShape(x)} does not divide into ${heads} heads. Give a width that is a multiple of \`heads\`.`,
    );
  }
  if (rotaryWidth % 2 !== 0 || rotaryWidth < 2 || rotaryWidth > width) {
    throw new BasicError(
      "E_SHAPE",
      `rotary: \`rotaryWidth\` must be even and from 2 to the head width ${width}, got ${rotaryWidth}.`,
    );
  }
  if (frequencies.length !== rotaryWidth / 2) {
    throw new BasicError(
      "E_SHAPE",
      `rotary: \`frequencies\` must hold rotaryWidth / 2 = ${rotaryWidth / 2} values, got ${frequencies.length}.`,
    );
  }
}

function rotateHeads(x: tf.Tensor, attrs: RotaryAttrs): tf.Tensor {
  const { heads, rotaryWidth } = attrs;
  const rows = attrs.positions.length;
  const width = (x.shape[1] as number) / heads;
  const half = rotaryWidth / 2;
  const table = rotaryTable(attrs);
  const cos = tf.tensor(table.cos, [rows, 1, half]);
  const sin = tf.tensor(table.sin, [rows, 1, half]);
  const byHead = tf.reshape(x, [rows, heads, width]);
  const a = tf.slice(byHead, [0, 0, 0], [rows, heads, half]);
  const b = tf.slice(byHead, [0, 0, half], [rows, heads, half]);
  const turned = [tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))];
  const rest = width - rotaryWidth;
  const passed = rest > 0 ? [tf.slice(byHead, [0, 0, rotaryWidth], [rows, heads, rest])] : [];
  return tf.reshape(tf.concat([...turned, ...passed], 2), [rows, heads * width]);
}

/** `10000^(−2j / rotaryWidth)`, the usual table. */
function usualFrequencies(rotaryWidth: number): Float32Array {
  return Float32Array.from({ length: rotaryWidth / 2 }, (_, j) => 10_000 ** ((-2 * j) / rotaryWidth));
}

function rotaryCases(): readonly KernelCase<"x", RotaryAttrs>[] {
  const nine = Int32Array.of(0, 1, 2, 3, 4, 0, 1, 2, 3);
  const plain = { scale: 1, inverse: false };
  return [
    {
      title: "two samples, three heads",
      inputs: { x: { shape: [9, 42] } },
      attrs: { ...plain, heads: 3, rotaryWidth: 14, positions: nine, frequencies: usualFrequencies(14) },
    },
    {
      title: "part of an odd head width",
      inputs: { x: { shape: [9, 41] } },
      attrs: { ...plain, heads: 1, rotaryWidth: 6, positions: nine, frequencies: usualFrequencies(6) },
    },
    {
      title: "one row far away",
      inputs: { x: { shape: [1, 28] } },
      attrs: {
        ...plain,
        heads: 4,
        rotaryWidth: 2,
        positions: Int32Array.of(131_071),
        frequencies: usualFrequencies(2),
      },
    },
    {
      title: "turned back, with a factor",
      inputs: { x: { shape: [9, 28], scale: 1e3 } },
      attrs: {
        heads: 7,
        rotaryWidth: 4,
        positions: nine.map((position) => position * 997),
        frequencies: usualFrequencies(4),
        scale: 1.19,
        inverse: true,
      },
    },
  ];
}

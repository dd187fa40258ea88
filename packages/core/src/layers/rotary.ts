import type * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { rotary } from "../kernels/rotary.js";
import { runKernel } from "../kernels/run.js";

/** How rotary frequencies are changed for longer texts. Names and formulas as Hugging Face's `rope_scaling`. */
export type RotaryScaling =
  | { readonly kind: "linear"; readonly factor: number }
  | {
      readonly kind: "llama3";
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  | {
      readonly kind: "longrope";
      /** One factor per frequency, for texts within `originalPositions`. */
      readonly shortFactors: readonly number[];
      /** One factor per frequency, for longer texts. */
      readonly longFactors: readonly number[];
      readonly originalPositions: number;
      /** Factor on cosine and sine. */
      readonly attentionFactor: number;
    };

/** A rotary position embedding. */
export interface RotaryConfig {
  /** θ, `rope_theta`. */
  readonly base: number;
  /** How many values of each head turn: the head width, or less. Even. */
  readonly width: number;
  readonly scaling: RotaryScaling | null;
}

/** What the rotary kernel needs. */
export interface RotaryTable {
  readonly width: number;
  /** `[width / 2]`, radians per position. */
  readonly frequencies: Float32Array;
  /** Factor on cosine and sine. */
  readonly scale: number;
}

/**
 * Frequencies `base^(−2i / width)`, changed by the scaling rule.
 *
 * @param length - Largest position + 1; only `longrope` looks at it.
 * @throws {@link BasicError} `E_CONFIG` when the width is odd or the number of factors is wrong.
 */
export function rotaryFrequencies(config: RotaryConfig, length: number): RotaryTable {
  const { base, width, scaling } = config;
  if (width <= 0 || width % 2 !== 0) {
    throw new BasicError(
      "E_CONFIG",
      `rotaryFrequencies: the rotary width must be even and positive, got ${width}. Check head_dim and partial_rotary_factor.`,
    );
  }
  const plain = Float64Array.from({ length: width / 2 }, (_, i) => base ** ((-2 * i) / width));
  return {
    width,
    frequencies: Float32Array.from(scaling === null ? plain : scaled(plain, scaling, length)),
    scale: scaling?.kind === "longrope" ? scaling.attentionFactor : 1,
  };
}

function scaled(plain: Float64Array, scaling: RotaryScaling, length: number): Float64Array {
  switch (scaling.kind) {
    case "linear":
      return plain.map((frequency) => frequency / scaling.factor);
    case "llama3":
      return plain.map((frequency) => llama3(frequency, scaling));
    case "longrope": {
      const factors = length > scaling.originalPositions ? scaling.longFactors : scaling.shortFactors;
      if (factors.length !== plain.length) {
        throw new BasicError(
          "E_CONFIG",
          `rotaryFrequencies: longrope needs one factor per frequency: expected ${plain.length}, got ${factors.length}.`,
        );
      }
      return plain.map((frequency, i) => frequency / (factors[i] as number));
    }
  }
}

/** Llama 3.1: long wavelengths are divided by `factor`, short ones kept, and the rest blended. */
function llama3(frequency: number, scaling: RotaryScaling & { kind: "llama3" }): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling;
  const turns = (originalPositions * frequency) / (2 * Math.PI);
  if (turns < low) return frequency / factor;
  if (turns > high) return frequency;
  const blend = (turns - low) / (high - low);
  return ((1 - blend) * frequency) / factor + blend * frequency;
}

/**
 * Turns each head of `[R, heads · w]` by its row's position (half rotation).
 *
 * @param positions - `[R]`.
 */
export function applyRotary(
  x: tf.Tensor2D,
  heads: number,
  table: RotaryTable,
  positions: Int32Array,
): tf.Tensor2D {
  const { width: rotaryWidth, frequencies, scale } = table;
  const attrs = { heads, rotaryWidth, positions, frequencies, scale, inverse: false };
  return runKernel(rotary, { x }, attrs)[0] as tf.Tensor2D;
}

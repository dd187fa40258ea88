import { type RotaryAttrs, rotary } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import type { CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { bytesOf } from "../../work.js";
import { implement } from "../implement.js";
import source from "./rotary.cu";

/** Heads that a thread turns by the same angles: HEADS_AT_ONCE of rotary.cu. */
const HEADS_AT_ONCE = 4;
const THREADS = 256;

const program = defineProgram({
  name: "rotary",
  source,
  entry: "rotary",
  params: {
    ...({ x: "activation", positions: "pointer", turns: "pointer", y: "activation" } as const),
    ...({ rows: "i32", heads: "i32", width: "i32", pairs: "i32" } as const),
    ...({ scale: "f32", sineScale: "f32" } as const),
  },
  block: THREADS,
  work: ({ x, positions, turns, y, rows, heads, pairs }) => ({
    bytes: bytesOf(x, positions, turns, y),
    flops: 6 * rows * heads * pairs,
  }),
});

/** BasicRotary. */
export function registerRotary(): void {
  implement(rotary, ({ backend, inputs, attrs, out }) => rotate(backend, inputs.x, out(0), attrs), {
    reads: ["x"],
    outputs: [0],
  });
}

/** Turns the heads of `x` `[R, H·w]` into `y`, of the same shape: see core's `rotary`. */
export function rotate(backend: CudaBackend, x: tf.TensorInfo, y: tf.TensorInfo, attrs: RotaryAttrs): void {
  const { heads, positions, frequencies, scale, inverse } = attrs;
  const [rows, columns] = x.shape as [number, number];
  const width = columns / heads;
  const pairs = frequencies.length;
  const each = width % 4 === 0 && pairs % 4 === 0 ? 4 : 1;
  const threads = rows * Math.ceil(heads / HEADS_AT_ONCE) * ((width - pairs) / each);
  backend.dispatch(program, {
    grid: [Math.ceil(threads / THREADS)],
    args: {
      ...{ x, positions, turns: turnsOf(frequencies), y },
      ...{ rows, heads, width, pairs },
      ...{ scale, sineScale: inverse ? -scale : scale },
    },
  });
}

/** The fraction of a turn that each frequency adds per position, in units of 2^-64: its low and its high 32 bits. */
function turnsOf(frequencies: Float32Array): Uint32Array {
  const turns = new Uint32Array(2 * frequencies.length);
  for (const [j, frequency] of frequencies.entries()) {
    const perPosition = frequency / (2 * Math.PI);
    const high = (perPosition - Math.floor(perPosition)) * 2 ** 32;
    turns[2 * j] = Math.floor((high - Math.floor(high)) * 2 ** 32);
    turns[2 * j + 1] = Math.floor(high);
  }
  return turns;
}

/** Every program of rotary positions. */
export const rotaryPrograms = [program];

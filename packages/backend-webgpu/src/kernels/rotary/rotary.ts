import { type RotaryAttrs, rotary } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { overElements } from "../elementwise.js";
import { implement } from "../implement.js";
import { HEADS_AT_ONCE, rotaryCode } from "./rotary.wgsl.js";

// BasicRotary on WebGPU.
// v1  a thread turns a pair of columns of four heads; angles and their sines are made in the shader, no table goes up

const program = defineProgram({
  name: "rotary",
  reads: { x: "f32", positions: "i32", frequencies: "u32" },
  writes: { y: "f32" },
  uniforms: { count: "u32", heads: "u32", width: "u32", pairs: "u32", scale: "f32", sine_scale: "f32" },
  code: rotaryCode,
});

/** BasicRotary. */
export function registerRotary(): void {
  implement(rotary, ({ backend, inputs, attrs, out }) => rotate(backend, inputs.x, out(0), attrs));
}

/** Turns the heads of `x` `[R, H·w]` into `y`, of the same shape: see core's `rotary`. */
export function rotate(backend: WebGpuBackend, x: tf.TensorInfo, y: tf.TensorInfo, attrs: RotaryAttrs): void {
  const { heads, positions, frequencies, scale, inverse } = attrs;
  const [rows, columns] = x.shape as [number, number];
  const width = columns / heads;
  const pairs = frequencies.length;
  const count = rows * Math.ceil(heads / HEADS_AT_ONCE) * (width - pairs);
  const { uniforms, workgroups } = overElements({ ...x, shape: [count] }, backend);
  backend.dispatch(program, {
    reads: { x, positions, frequencies: turnsOf(frequencies) },
    writes: { y },
    uniforms: { ...uniforms, heads, width, pairs, scale, sine_scale: inverse ? -scale : scale },
    workgroups,
  });
}

/** The fraction of a turn that each frequency adds per position, in units of 2^-64: its high and its low 32 bits. */
function turnsOf(frequencies: Float32Array): Uint32Array {
  const turns = new Uint32Array(2 * frequencies.length);
  for (const [j, frequency] of frequencies.entries()) {
    const perPosition = frequency / (2 * Math.PI);
    const high = (perPosition - Math.floor(perPosition)) * 2 ** 32;
    turns[2 * j] = Math.floor(high);
    turns[2 * j + 1] = Math.floor((high - Math.floor(high)) * 2 ** 32);
  }
  return turns;
}

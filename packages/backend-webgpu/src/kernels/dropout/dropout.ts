import { DROPOUT_STEPS, dropoutKernel } from "@basic-mllm/core";

import { defineProgram } from "../../program.js";
import { overCount } from "../elementwise.js";
import { implement } from "../implement.js";
import { sizeOf } from "../parts.js";
import { dropoutCode } from "./dropout.wgsl.js";

/** Values that one block of Philox decides on. */
const PER_BLOCK = 8;

const program = defineProgram({
  name: "dropout",
  reads: { x: "f32" },
  writes: { y: "f32" },
  uniforms: {
    count: "u32",
    size: "u32",
    threshold: "u32",
    factor: "f32",
    key_low: "u32",
    key_high: "u32",
    stream_low: "u32",
    stream_high: "u32",
  },
  code: dropoutCode,
});

/** BasicDropout: its gradient is the kernel itself. */
export function registerDropout(): void {
  implement(dropoutKernel, ({ backend, inputs: { x }, attrs, out, dispatch }) => {
    const { probability, stream } = attrs;
    const [keyLow = 0, keyHigh = 0, low = 0, high = 0] = stream;
    const size = sizeOf(x.shape);
    const { uniforms, workgroups } = overCount(Math.ceil(size / PER_BLOCK), backend);
    dispatch(program, {
      reads: { x },
      writes: { y: out(0) },
      uniforms: {
        ...uniforms,
        size,
        threshold: probability * DROPOUT_STEPS,
        factor: 1 / (1 - probability),
        key_low: keyLow,
        key_high: keyHigh,
        stream_low: low,
        stream_high: high,
      },
      workgroups,
    });
  });
}

// v1  one thread for four elements

import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { overCount } from "../elementwise.js";
import { elementRuns, elementsOf } from "../parts.js";
import { fillCode } from "./fill.wgsl.js";

const program = defineProgram({
  name: "fill",
  reads: {},
  writes: { y: "f32" },
  uniforms: { count: "u32", value: "f32" },
  code: fillCode,
});

/** Sets every element of a tensor to 0. */
export function clear(backend: WebGpuBackend, tensor: tf.TensorInfo): void {
  for (const run of elementRuns(backend, tensor)) {
    const { uniforms, workgroups } = overCount(run.count, backend);
    backend.dispatch(program, {
      reads: {},
      writes: { y: elementsOf(tensor, run) },
      uniforms: { ...uniforms, value: 0 },
      workgroups,
    });
  }
}

// v1  one thread for four elements; v2  for four vectors of four

import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { overCount, vectorsOf } from "../elementwise.js";
import { elementRuns, elementsOf } from "../parts.js";
import { clearCode } from "./fill.wgsl.js";

const programOf = (element: "f32" | "vec4<f32>") =>
  defineProgram({
    name: `clear ${element}`,
    reads: {},
    writes: { y: element },
    uniforms: { count: "u32" },
    code: clearCode(element),
  });

const programs = { f32: programOf("f32"), "vec4<f32>": programOf("vec4<f32>") };

/** Sets every element of a tensor to 0. */
export function clear(backend: WebGpuBackend, tensor: tf.TensorInfo): void {
  for (const run of elementRuns(backend, tensor)) {
    const { element, count } = vectorsOf(run);
    const writes = { y: elementsOf(tensor, run) };
    backend.dispatch(programs[element], { reads: {}, writes, ...overCount(count, backend) });
  }
}

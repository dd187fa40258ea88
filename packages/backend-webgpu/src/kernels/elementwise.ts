import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../backend.js";
import { spread } from "./implement.js";
import { mainOfGroups } from "./main.wgsl.js";
import { type Run, sizeOf } from "./parts.js";

const THREADS = 64;
/** Elements of one workgroup: 4 a thread. */
const PER_GROUP = 4 * THREADS;

/** `main` of a shader that calls its function `element(i)` for every i below `uniforms.count`. */
export const forEachElement = /* wgsl */ `
${mainOfGroups(THREADS)}
  let first = number * ${PER_GROUP}u + lane;
  for (var i = first; i < min(first + ${PER_GROUP}u, uniforms.count); i += ${THREADS}u) {
    element(i);
  }
}`;

/** Uniforms and workgroups for {@link forEachElement} over the elements of a tensor. */
export function overElements({ shape }: tf.TensorInfo, backend: WebGpuBackend) {
  return overCount(sizeOf(shape), backend);
}

/** As {@link overElements}, for so many elements. */
export function overCount(count: number, backend: WebGpuBackend) {
  return { uniforms: { count }, workgroups: spread(Math.ceil(count / PER_GROUP), backend) };
}

/** What a run consists of: vectors of four where it is whole ones. */
export function vectorsOf({ count }: Run): { readonly element: "f32" | "vec4<f32>"; readonly count: number } {
  return count % 4 === 0 ? { element: "vec4<f32>", count: count / 4 } : { element: "f32", count };
}

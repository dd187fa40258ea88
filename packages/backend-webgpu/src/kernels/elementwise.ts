import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../backend.js";
import { spread } from "./implement.js";
import { sizeOf } from "./parts.js";

/** Elements of one workgroup: 64 invocations, 4 elements each. */
const PER_GROUP = 256;

/** `main` of a shader that calls its function `element(i)` for every i below `uniforms.count`. */
export const forEachElement = /* wgsl */ `
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(num_workgroups) groups : vec3<u32>,
  @builtin(local_invocation_index) lane : u32,
) {
  let first = (group.x + group.y * groups.x) * 256u + lane;
  for (var i = first; i < min(first + 256u, uniforms.count); i += 64u) {
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

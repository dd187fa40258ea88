// Rows of a packed table on WebGPU.
// v1  decodes the rows that it takes: bf16 0.72 to 1.03 of the time of stock operations  <- used
// R=512/D=576/V=8192, bf16 on SwiftShader: benchmarks/results/webgpu.jsonl.
import type { PackedStorage } from "@basic-mllm/core";

import { forEachElement } from "../elementwise.js";
import { weightElement } from "../matmul/storage.wgsl.js";

/** As the gather of float32 rows, decoding on the way. */
export function packedGatherCode(storage: PackedStorage): string {
  return /* wgsl */ `
${weightElement(storage)}
fn element(i : u32) {
  let row = ids[i / uniforms.width] - uniforms.first;
  if (row < 0 || row >= uniforms.bound) { return; }
  y[i] = weight_element(u32(row) * uniforms.width + i % uniforms.width);
}
${forEachElement}`;
}

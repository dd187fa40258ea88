// Rows of matrices on WebGPU.
// v1  four elements a thread: 0.55 embedding, 0.74 gather, 0.68 scatter, 0.38 splice of the time of stock operations  <- used
// R=512/D=576/V=8192; R=512/D=576/n=256; R=512/D=576/V=8192/N=196 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";

/** Output rows whose table row is among those that are bound; the others stay as they are. */
export const gatherCode = /* wgsl */ `
fn element(i : u32) {
  let row = ids[i / uniforms.width] - uniforms.first;
  if (row < 0 || row >= uniforms.bound) { return; }
  y[i] = table[u32(row) * uniforms.width + i % uniforms.width];
}
${forEachElement}`;

/** Each target takes its sources one after the other, always in the same order. */
export const scatterCode = /* wgsl */ `
fn element(i : u32) {
  let target_ = i / uniforms.width;
  let column = i % uniforms.width;
  var sum = 0.0;
  for (var at = starts[target_]; at < starts[target_ + 1u]; at++) {
    sum += dy[u32(sources[at]) * uniforms.width + column];
  }
  y[u32(targets[target_] - uniforms.first) * uniforms.width + column] = sum;
}
${forEachElement}`;

// New rows of cached keys and values on WebGPU.
// v1  four elements a thread; with attention behind it 1.02 of the time of stock operations  <- used
// 1 row after 400/H=9/G=3/w=64 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";

/** Copies the new rows of keys and values to their buffers; `targets` are rows of these. */
export const writeRowsCode = /* wgsl */ `
fn element(i : u32) {
  let place = u32(targets[i / uniforms.width]) * uniforms.width + i % uniforms.width;
  keys[place] = k[i];
  values[place] = v[i];
}
${forEachElement}`;

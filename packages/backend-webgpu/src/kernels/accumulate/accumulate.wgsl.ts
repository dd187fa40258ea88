// Sums of gradients on WebGPU.
// v1  four elements a thread, in place: 1.47 of the time of stock operations
// v2  four vectors of four a thread: 0.63  <- used
// 1536 x 576 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";

export const accumulateCode = /* wgsl */ `
fn element(i : u32) { sum[i] += term[i]; }
${forEachElement}`;

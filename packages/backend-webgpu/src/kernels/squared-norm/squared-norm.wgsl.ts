// Sums of squares on WebGPU.
// v1  8192 elements a workgroup of 256, always in the same order: 2.32 of the time of stock operations  <- used
// 384 x 576, 576 x 576, 576 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { mainOfGroups } from "../main.wgsl.js";
import { groupReductions } from "../reduce.wgsl.js";

/** Elements that one workgroup adds: few enough that plain sums of a thread lose nothing that matters. */
export const ELEMENTS_AT_ONCE = 8192;

/** Sums of squares of parts of several tensors: `ends` are the numbers of the workgroups after the last of each. */
export function squaresCode(tensors: number): string {
  const numbers = Array.from({ length: tensors }, (_, i) => i);
  const branches = numbers.map((i) => {
    const before = i === 0 ? "0u" : `uniforms.end${i - 1}`;
    return `if (number < uniforms.end${i}) { sum = squares${i}((number - ${before}) * ${ELEMENTS_AT_ONCE}u + lane); }`;
  });
  return /* wgsl */ `
${groupReductions(256)}
${numbers.map(squaresOf).join("\n")}
${mainOfGroups(256)}
  if (number >= uniforms.end${tensors - 1}) { return; }
  var sum = 0.0;
  ${branches.join("\n  else ")}
  let total = group_sum(lane, sum);
  if (lane == 0u) { sums[uniforms.offset + number] = total; }
}`;
}

function squaresOf(i: number): string {
  return `fn squares${i}(first : u32) -> f32 {
  var sum = 0.0;
  for (var at = first; at < min(first + ${ELEMENTS_AT_ONCE}u, uniforms.count${i}); at += 256u) {
    sum += x${i}[at] * x${i}[at];
  }
  return sum;
}`;
}

/** One workgroup: all sums. */
export const totalCode = /* wgsl */ `
${groupReductions(256)}
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane : u32) {
  var sum = 0.0;
  for (var i = lane; i < uniforms.count; i += 256u) { sum += sums[i]; }
  let result = group_sum(lane, sum);
  if (lane == 0u) { total[0] = result; }
}`;

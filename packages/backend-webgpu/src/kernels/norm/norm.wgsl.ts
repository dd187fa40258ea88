// Norms on WebGPU.
// v1  64 threads a row: 0.59 RMS, 0.12 RMS backward, 0.62 layer, 0.10 layer backward of the time of stock operations  <- used
// R=128/D=576 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { mainOfGroups } from "../main.wgsl.js";
import { groupReductions } from "../reduce.wgsl.js";

/** Threads that share a row. */
const THREADS = 64;

/** `main` that calls `normalise(row, lane)`: a workgroup for each row. */
const forEachRow = /* wgsl */ `
${mainOfGroups(THREADS)}
  if (number < uniforms.rows) { normalise(number, lane); }
}`;

/** Loop over the columns of a thread, `i` being the place in the row's matrix. */
const columns = `for (var d = lane; d < width; d += ${THREADS}u) { let i = row * width + d;`;

export const rmsNormCode = /* wgsl */ `
${groupReductions(THREADS)}
fn normalise(row : u32, lane : u32) {
  let width = uniforms.width;
  var squares = 0.0;
  ${columns} squares += x[i] * x[i]; }
  let scale = inverseSqrt(group_sum(lane, squares) / f32(width) + uniforms.epsilon);
  ${columns} y[i] = x[i] * scale * (weight[d] + uniforms.offset); }
  if (lane == 0u) { inverse[row] = scale; }
}
${forEachRow}`;

export const layerNormCode = /* wgsl */ `
${groupReductions(THREADS)}
fn normalise(row : u32, lane : u32) {
  let width = uniforms.width;
  var sum = 0.0;
  ${columns} sum += x[i]; }
  let centre = group_sum(lane, sum) / f32(width);
  var squares = 0.0;
  ${columns} let c = x[i] - centre; squares += c * c; }
  let scale = inverseSqrt(group_sum(lane, squares) / f32(width) + uniforms.epsilon);
  ${columns} y[i] = (x[i] - centre) * scale * weight[d] + bias[d]; }
  if (lane == 0u) { mean[row] = centre; inverse[row] = scale; }
}
${forEachRow}`;

/** `g` is the gradient of the normalised value, `n` that value. */
export const rmsNormBackwardCode = /* wgsl */ `
${groupReductions(THREADS)}
fn normalise(row : u32, lane : u32) {
  let width = uniforms.width;
  let scale = inverse[row];
  var products = 0.0;
  ${columns} products += dy[i] * (weight[d] + uniforms.offset) * (x[i] * scale); }
  let mean = group_sum(lane, products) / f32(width);
  ${columns}
    let g = dy[i] * (weight[d] + uniforms.offset);
    dx[i] = scale * (g - x[i] * scale * mean);
  }
}
${forEachRow}`;

export const layerNormBackwardCode = /* wgsl */ `
${groupReductions(THREADS)}
fn normalise(row : u32, lane : u32) {
  let width = uniforms.width;
  let scale = inverse[row];
  let centre = mean[row];
  var sum = 0.0;
  ${columns} sum += dy[i] * weight[d]; }
  let mean_g = group_sum(lane, sum) / f32(width);
  var products = 0.0;
  ${columns} products += dy[i] * weight[d] * ((x[i] - centre) * scale); }
  let mean_gn = group_sum(lane, products) / f32(width);
  ${columns}
    let n = (x[i] - centre) * scale;
    dx[i] = scale * ((dy[i] * weight[d] - mean_g) - n * mean_gn);
  }
}
${forEachRow}`;

/** Rows that a workgroup of the weights' gradients adds. */
export const WEIGHT_ROWS = 64;

/** Sums over some rows of `dy · n`, and of `dy` where there is a mean: a row of each for {@link WEIGHT_ROWS} rows. */
export function weightGradientsCode(centred: boolean): string {
  const value = centred ? "(x[i] - mean[row]) * inverse[row]" : "x[i] * inverse[row]";
  return /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread : vec3<u32>, @builtin(workgroup_id) group : vec3<u32>) {
  let d = thread.x;
  if (d >= uniforms.width) { return; }
  var weight_sum = 0.0;
  var bias_sum = 0.0;
  let first = group.y * ${WEIGHT_ROWS}u;
  for (var row = first; row < min(first + ${WEIGHT_ROWS}u, uniforms.rows); row++) {
    let i = row * uniforms.width + d;
    weight_sum += dy[i] * (${value});
    bias_sum += dy[i];
  }
  dweight[group.y * uniforms.width + d] = weight_sum;
  ${centred ? "dbias[group.y * uniforms.width + d] = bias_sum;" : ""}
}`;
}

// Cross entropy over a vocabulary on WebGPU.
// v1  chunks of words, sums that grow: 0.59 plain, 0.31 with its gradient of the time of stock operations; 0.29 with V=49152  <- used
// D=128/V=1518/R=64; D=576/V=49152/R=16 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";
import { groupReductions } from "../reduce.wgsl.js";
import { capFunctions } from "../vocabulary/softcap.wgsl.js";

/**
 * Takes a chunk of a row's logits into its `state`: the largest so far, the sum of exp(logit - largest), the label's logit,
 * and by what sums of before are to be multiplied (in `factors`). With `keep`, exp(logit - largest) times the slope of the
 * cap takes the place of the logits.
 */
export function absorbCode({ capped, keep }: { capped: boolean; keep: boolean }): string {
  return /* wgsl */ `
${capFunctions(capped)}
${groupReductions(64)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(local_invocation_index) lane : u32) {
  let row = group.x;
  let start = row * uniforms.words;
  let is_first = uniforms.first_word == 0;
  let largest_before = select(state[row * 3u], -3.0e38, is_first);
  let sum_before = select(state[row * 3u + 1u], 0.0, is_first);
  var most = -3.0e38;
  for (var w = lane; w < uniforms.words; w += 64u) { most = max(most, cap(logits[start + w])); }
  let largest = max(group_max(lane, most), largest_before);
  let label = labels[row] - uniforms.first_word;
  var sum = 0.0;
  for (var w = lane; w < uniforms.words; w += 64u) {
    let logit = cap(logits[start + w]);
    let e = exp(logit - largest);
    sum += e;
    if (i32(w) == label) { state[row * 3u + 2u] = logit; }
    ${keep ? "logits[start + w] = e * cap_slope(logit);" : ""}
  }
  let total = group_sum(lane, sum);
  if (lane == 0u) {
    let factor = exp(largest_before - largest);
    state[row * 3u] = largest;
    state[row * 3u + 1u] = sum_before * factor + total;
    ${keep ? "factors[row] = factor;" : ""}
  }
}`;
}

/** Losses and log-sum-exps of a run of rows that count, into the places of these rows. */
export const finishCode = /* wgsl */ `
fn element(i : u32) {
  let at = u32(rows[i]);
  let log_sum = log(state[i * 3u + 1u]);
  loss[at] = log_sum + (state[i * 3u] - state[i * 3u + 2u]);
  log_sum_exp[at] = state[i * 3u] + log_sum;
}
${forEachElement}`;

/** Slopes of these rows: the mean of the words' rows, less the label's. */
export function slopeCode(capped: boolean): string {
  return /* wgsl */ `
${capFunctions(capped)}
fn element(i : u32) {
  let row = i / uniforms.width;
  let mean = means[i] / state[row * 3u + 1u];
  let slope_at = u32(rows[row]) * uniforms.width + i % uniforms.width;
  slope[slope_at] = mean - cap_slope(state[row * 3u + 2u]) * label_rows[i];
}
${forEachElement}`;
}

/** Logits become the gradient of the loss with respect to them. */
export function gradientCode(capped: boolean): string {
  return /* wgsl */ `
${capFunctions(capped)}
fn element(i : u32) {
  let row = i / uniforms.words;
  let logit = cap(logits[i]);
  let at = rows[row];
  let is_label = i32(i % uniforms.words) == labels[row] - uniforms.first_word;
  let p = exp(logit - log_sum_exp[at]);
  logits[i] = dloss[at] * (p - select(0.0, 1.0, is_label)) * cap_slope(logit);
}
${forEachElement}`;
}

/** A run of rows into the places of these rows. */
export const placeCode = /* wgsl */ `
fn element(i : u32) {
  y[u32(rows[i / uniforms.width]) * uniforms.width + i % uniforms.width] = x[i];
}
${forEachElement}`;

// Divergence of two rows over a vocabulary on WebGPU.
// v1  chunks of words, sums that grow: 0.52 plain, 0.37 with its gradient of the time of stock operations; 0.26 with V=49152  <- used
// D=128/V=1518/R=64; D=576/V=49152/R=16 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";
import { groupReductions } from "../reduce.wgsl.js";

/**
 * What takes the place of the logits: nothing; exp(logit - largest) of both, with the factors of the sums of before; or,
 * where these are all words, the difference of both rows' probabilities in place of v's.
 */
export type Kept = "none" | "both" | "difference";

const kept: Readonly<Record<Kept, string>> = {
  none: "",
  both: "v_logits[start + w] = e.x; r_logits[start + w] = e.y;",
  difference: "",
};

/** Needs the sums first, so it goes through the words once more. */
const difference = /* wgsl */ `
  for (var w = lane; w < uniforms.words; w += 64u) {
    let p = exp(v_logits[start + w] - largest.x) / total.x;
    let q = exp(r_logits[start + w] - largest.y) / total.y;
    v_logits[start + w] = p - q;
  }`;

/**
 * Takes a chunk of both rows' logits into their `state`: largest logit of v and of r, sum of exp(logit - largest) of v and
 * of r, and the sum of exp(r's logit - largest) times the logits' difference.
 */
export function absorbCode(keep: Kept): string {
  return /* wgsl */ `
${groupReductions(64)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group : vec3<u32>, @builtin(local_invocation_index) lane : u32) {
  let row = group.x;
  let start = row * uniforms.words;
  let at = row * 5u;
  let is_first = uniforms.first_word == 0u;
  let before = select(vec2<f32>(state[at], state[at + 1u]), vec2<f32>(-3.0e38), is_first);
  let sums_before = select(vec2<f32>(state[at + 2u], state[at + 3u]), vec2<f32>(), is_first);
  let gap_before = select(state[at + 4u], 0.0, is_first);
  var most = vec2<f32>(-3.0e38);
  for (var w = lane; w < uniforms.words; w += 64u) {
    most = max(most, vec2<f32>(v_logits[start + w], r_logits[start + w]));
  }
  let largest = max(vec2<f32>(group_max(lane, most.x), group_max(lane, most.y)), before);
  var sums = vec2<f32>();
  var gap = 0.0;
  for (var w = lane; w < uniforms.words; w += 64u) {
    let both = vec2<f32>(v_logits[start + w], r_logits[start + w]);
    let e = exp(both - largest);
    sums += e;
    gap += e.y * (both.y - both.x);
    ${kept[keep]}
  }
  let total = vec2<f32>(group_sum(lane, sums.x), group_sum(lane, sums.y));
  let total_gap = group_sum(lane, gap);
  ${keep === "difference" ? difference : ""}
  if (lane == 0u) {
    let factor = exp(before - largest);
    let next = sums_before * factor + total;
    state[at] = largest.x;
    state[at + 1u] = largest.y;
    state[at + 2u] = next.x;
    state[at + 3u] = next.y;
    state[at + 4u] = gap_before * factor.y + total_gap;
    ${keep === "both" ? "v_factors[row] = factor.x; r_factors[row] = factor.y;" : ""}
  }
}`;
}

/** Results of a run of rows that begins at `first`. */
export const finishCode = /* wgsl */ `
fn element(i : u32) {
  let row = uniforms.first + i;
  let at = i * 5u;
  let v_log_sum = log(state[at + 2u]);
  let r_log_sum = log(state[at + 3u]);
  let divergence = state[at + 4u] / state[at + 3u] + (state[at] - state[at + 1u]) + (v_log_sum - r_log_sum);
  kl[row] = divergence;
  loss[row] = a[row] * divergence;
  lse_v[row] = state[at] + v_log_sum;
  lse_r[row] = state[at + 1u] + r_log_sum;
}
${forEachElement}`;

/** Slopes of these rows: the mean of the words' rows by v, less that by r. */
export const slopeCode = /* wgsl */ `
fn element(i : u32) {
  let at = (i / uniforms.width) * 5u;
  slope[i] = v_means[i] / state[at + 2u] - r_means[i] / state[at + 3u];
}
${forEachElement}`;

/** Logits become gradients of the losses with respect to v's and r's. */
export function gradientCode(needsRefined: boolean): string {
  return /* wgsl */ `
fn element(i : u32) {
  let row = uniforms.first + i / uniforms.words;
  let log_p = v_logits[i] - lse_v[row];
  let log_q = r_logits[i] - lse_r[row];
  let q = exp(log_q);
  let factor = factors[row];
  v_logits[i] = factor * (exp(log_p) - q);
  ${needsRefined ? "r_logits[i] = factor * q * (log_q - log_p - kl[row]);" : ""}
}
${forEachElement}`;
}

/** What a row's gradient is multiplied by. */
export const factorsCode = /* wgsl */ `
fn element(i : u32) { factors[i] = dloss[i] * a[i]; }
${forEachElement}`;

// Attention on WebGPU.
// v1  32 queries a workgroup, against 32 keys at a time: 0.27 plain, 0.31 with what visual rows receive, of the time of stock operations  <- used
// 2 samples/R=128/H=9/G=3/w=64 on SwiftShader: benchmarks/results/webgpu.jsonl.
import {
  type AttentionVariant,
  addRows,
  chunksOf,
  declareSums,
  load,
  mainOfTiles,
  products,
  readFour,
  storeFour,
  storeSums,
  TILE,
  tileFunctions,
} from "./tiles.wgsl.js";

/** Below every score that occurs. */
const LOWEST = "-1e30";

/**
 * A workgroup has a tile of queries, and goes through the keys a tile at a time with the running maximum and sum of each
 * row. Workgroups along z take parts of the keys, whose outputs lie one after the other.
 */
export function attentionCode(variant: AttentionVariant): string {
  return /* wgsl */ `
${tileFunctions}
${(["q", "k", "v"] as const).map((name) => readFour(name, variant)).join("\n")}
${storeFour("attended", variant)}
${load("right", "k")}
${load("right", "v")}
${products("q", "k", variant)}
fn scores_of(tile : Tile, pair : i32, key : i32, sums : vec4<f32>) -> vec4<f32> {
  var scores = vec4<f32>(${LOWEST});
  for (var i = 0u; i < 4u; i++) {
    if (sees(tile, pair, key + i32(i))) { scores[i] = cap(sums[i] * uniforms.scale); }
  }
  return scores;
}
fn row_max(row : u32) -> f32 {
  var four = weights[at(row, 0u)];
  for (var j = 1u; j < 8u; j++) { four = max(four, weights[at(row, j)]); }
  return max(max(four.x, four.y), max(four.z, four.w));
}
fn exponentials(scores : vec4<f32>, largest : f32) -> vec4<f32> {
  return select(exp(max(scores - largest, vec4<f32>(-100.0))), vec4<f32>(), scores <= vec4<f32>(${LOWEST}));
}
${mainOfTiles}
  var largest_a = ${LOWEST};
  var largest_b = ${LOWEST};
  var sum_a = 0.0;
  var sum_b = 0.0;
${declareSums("y", variant)}
  let seen = keys_seen(tile);
  let from_key = max(seen.x, i32(group.z) * uniforms.part);
  let to_key = min(seen.y, (i32(group.z) + 1) * uniforms.part);
  for (var key = from_key; key < to_key; key += ${TILE}) {
    let sums = q_times_k(tile, tile.first, key, lane);
    let past = key + 4 * i32(x) + vec4<i32>(0, 1, 2, 3) >= vec4<i32>(to_key);
    let scores_a = select(scores_of(tile, row_a, key + 4 * i32(x), sums.a), vec4<f32>(${LOWEST}), past);
    let scores_b = select(scores_of(tile, row_b, key + 4 * i32(x), sums.b), vec4<f32>(${LOWEST}), past);
    weights[at(y, x)] = scores_a;
    weights[at(y + 16u, x)] = scores_b;
    workgroupBarrier();
    let larger_a = max(largest_a, row_max(y));
    let larger_b = max(largest_b, row_max(y + 16u));
    workgroupBarrier();
    let p_a = exponentials(scores_a, larger_a);
    let p_b = exponentials(scores_b, larger_b);
    weights[at(y, x)] = p_a;
    weights[at(y + 16u, x)] = p_b;
    let shrink_a = exp(max(largest_a - larger_a, -100.0));
    let shrink_b = exp(max(largest_b - larger_b, -100.0));
    sum_a = sum_a * shrink_a + dot(p_a, vec4<f32>(1.0));
    sum_b = sum_b * shrink_b + dot(p_b, vec4<f32>(1.0));
    largest_a = larger_a;
    largest_b = larger_b;
${chunksOf(variant)
  .map((c) => `    y_${c}.a *= shrink_a;\n    y_${c}.b *= shrink_b;`)
  .join("\n")}
    ${addRows("y", "v", "key", variant)}
  }
  weights[at(y, x)] = vec4<f32>(sum_a, 0.0, 0.0, 0.0);
  weights[at(y + 16u, x)] = vec4<f32>(sum_b, 0.0, 0.0, 0.0);
  workgroupBarrier();
  ${storeRow("a", variant)}
  ${storeRow("b", variant)}
}`;
}

function storeRow(row: "a" | "b", variant: AttentionVariant): string {
  return `if (row_${row} < tile.queries * uniforms.group) {
    let total = row_total(y${row === "a" ? "" : " + 16u"});
    let inverse = select(0.0, 1.0 / max(total, 1.0), total > 0.0);
    let place = pair_place(tile, row_${row}) + group.z * uniforms.places;
    ${storeSums("y", "attended", { row, place: "place", factor: "inverse" }, variant)}
    if (x == 0u) { log_sum_exp[place] = select(uniforms.nothing, largest_${row} + log(total), total > 0.0); }
  }`;
}

/** Combines the outputs of parts of the keys: an element of `y` a thread, the first of a head also its log-sum-exp. */
export const combineCode = /* wgsl */ `
fn element(i : u32) {
  let place = i / uniforms.width;
  var largest = ${LOWEST};
  for (var part = 0u; part < uniforms.parts; part++) {
    largest = max(largest, part_log_sum_exp[part * uniforms.places + place]);
  }
  var sum = 0.0;
  var total = 0.0;
  if (largest > ${LOWEST}) {
    for (var part = 0u; part < uniforms.parts; part++) {
      let at = part * uniforms.places + place;
      let share = exp(max(part_log_sum_exp[at] - largest, -100.0));
      sum += share * part_y[at * uniforms.width + i % uniforms.width];
      total += share;
    }
  }
  y[i] = select(0.0, sum / total, total > 0.0);
  if (i % uniforms.width == 0u) { log_sum_exp[place] = select(0.0, largest + log(total), total > 0.0); }
}`;

// Gradients of attention on WebGPU.
// v1  scores are made again, once for dq and once for dk and dv: 0.39 of the time of stock operations  <- used
// 2 samples/R=128/H=9/G=3/w=64 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";
import {
  type AttentionVariant,
  addRows,
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

/** Log-sum-exp and `Σ dy y` of each head of a query row, side by side. */
export const statisticsCode = /* wgsl */ `
fn element(i : u32) {
  var sum = 0.0;
  for (var d = i * uniforms.width; d < (i + 1u) * uniforms.width; d++) { sum += dy[d] * y[d]; }
  statistics[2u * i] = log_sum_exp[i];
  statistics[2u * i + 1u] = sum;
}
${forEachElement}`;

/** `gradient_of(...)`: the probability of a key, and the gradient of its product with the query. */
const gradientOf = /* wgsl */ `
fn gradient_of(tile : Tile, pair : i32, key : i32, sum : f32, dp : f32) -> vec2<f32> {
  if (!sees(tile, pair, key)) { return vec2<f32>(); }
  let place = 2u * pair_place(tile, pair);
  let score = cap(sum * uniforms.scale);
  let p = exp(min(score - statistics[place], 80.0));
  return vec2<f32>(p, p * (dp - statistics[place + 1u]) * cap_slope(score) * uniforms.scale);
}`;

function common(variant: AttentionVariant): string {
  return `${tileFunctions}
${(["q", "k", "v", "dy"] as const).map((name) => readFour(name, variant)).join("\n")}
${gradientOf}`;
}

/** A workgroup has a tile of queries and goes through the keys that they see: `dq = dS k`. */
export function queryGradientCode(variant: AttentionVariant): string {
  const store = (row: "a" | "b") => {
    const target = { row, place: "place", factor: "1.0" } as const;
    return `if (row_${row} < tile.queries * uniforms.group) {
    let place = pair_place(tile, row_${row});
    ${storeSums("dq", "dq", target, variant)}
  }`;
  };
  return /* wgsl */ `
${common(variant)}
${storeFour("dq", variant)}
${load("right", "k")}
${load("right", "v")}
${products("q", "k", variant)}
${products("dy", "v", variant)}
fn four_gradients(tile : Tile, pair : i32, key : i32, sums : vec4<f32>, dps : vec4<f32>) -> vec4<f32> {
  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) { four[i] = gradient_of(tile, pair, key + i32(i), sums[i], dps[i]).y; }
  return four;
}
${mainOfTiles}
${declareSums("dq", variant)}
  let seen = keys_seen(tile);
  for (var key = seen.x; key < seen.y; key += ${TILE}) {
    let sums = q_times_k(tile, tile.first, key, lane);
    let dps = dy_times_v(tile, tile.first, key, lane);
    weights[at(y, x)] = four_gradients(tile, row_a, key + 4 * i32(x), sums.a, dps.a);
    weights[at(y + 16u, x)] = four_gradients(tile, row_b, key + 4 * i32(x), sums.b, dps.b);
    ${addRows("dq", "k", "key", variant)}
  }
  ${store("a")}
  ${store("b")}
}`;
}

/** A workgroup has a tile of keys and goes through the queries that see them: `dv = Pᵀ dy`, `dk = dSᵀ q`. */
export function keyGradientCode(variant: AttentionVariant): string {
  const store = (row: "a" | "b") => {
    const target = { row, place: "place", factor: "1.0" } as const;
    return `if (row_${row} < tile.keys) {
    let place = key_place(tile, row_${row});
    ${storeSums("dk", "dk", target, variant)}
    ${storeSums("dv", "dv", target, variant)}
  }`;
  };
  return /* wgsl */ `
${common(variant)}
${storeFour("dk", variant)}
${storeFour("dv", variant)}
${load("right", "q")}
${load("right", "dy")}
${products("k", "q", variant)}
${products("v", "dy", variant)}
struct Gradients { p : vec4<f32>, ds : vec4<f32> }
fn four_gradients(tile : Tile, pair : i32, key : i32, sums : vec4<f32>, dps : vec4<f32>) -> Gradients {
  var four = Gradients();
  for (var i = 0u; i < 4u; i++) {
    let both = gradient_of(tile, pair + i32(i), key, sums[i], dps[i]);
    four.p[i] = both.x;
    four.ds[i] = both.y;
  }
  return four;
}
${mainOfTiles}
${declareSums("dk", variant)}
${declareSums("dv", variant)}
  let seeing = pairs_seeing(tile);
  for (var pair = seeing.x; pair < seeing.y; pair += ${TILE}) {
    let sums = k_times_q(tile, tile.first, pair, lane);
    let dps = v_times_dy(tile, tile.first, pair, lane);
    let four_a = four_gradients(tile, pair + 4 * i32(x), row_a, sums.a, dps.a);
    let four_b = four_gradients(tile, pair + 4 * i32(x), row_b, sums.b, dps.b);
    weights[at(y, x)] = four_a.p;
    weights[at(y + 16u, x)] = four_b.p;
    ${addRows("dv", "dy", "pair", variant)}
    weights[at(y, x)] = four_a.ds;
    weights[at(y + 16u, x)] = four_b.ds;
    ${addRows("dk", "q", "pair", variant)}
  }
  ${store("a")}
  ${store("b")}
}`;
}

/** A workgroup has a tile of keys and adds up what the rows that count give them, for one key-value head. */
export function receivedCode(variant: AttentionVariant): string {
  return /* wgsl */ `
${tileFunctions}
${(["q", "k"] as const).map((name) => readFour(name, variant)).join("\n")}
${load("right", "q")}
${products("k", "q", variant)}
fn four_received(tile : Tile, pair : i32, key : i32, sums : vec4<f32>) -> vec4<f32> {
  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) {
    let own = pair + i32(i);
    if (!sees(tile, own, key)) { continue; }
    let row = tile.q_start + own / uniforms.group;
    if (counts_as_text[row] != 1 || row < receive_from[tile.k_start + key]) { continue; }
    let score = cap(sums[i] * uniforms.scale);
    four[i] = exp(min(score - log_sum_exp[pair_place(tile, own)], 80.0));
  }
  return four;
}
${mainOfTiles}
  var sum_a = vec4<f32>();
  var sum_b = vec4<f32>();
  let seeing = pairs_seeing(tile);
  for (var pair = seeing.x; pair < seeing.y; pair += ${TILE}) {
    let sums = k_times_q(tile, tile.first, pair, lane);
    sum_a += four_received(tile, pair + 4 * i32(x), row_a, sums.a);
    sum_b += four_received(tile, pair + 4 * i32(x), row_b, sums.b);
  }
  weights[at(y, x)] = sum_a;
  weights[at(y + 16u, x)] = sum_b;
  workgroupBarrier();
  if (x != 0u) { return; }
  let start = u32(tile.kv_head) * uniforms.keys + u32(tile.k_start);
  if (row_a < tile.keys) { received[start + u32(row_a)] = row_total(y); }
  if (row_b < tile.keys) { received[start + u32(row_b)] = row_total(y + 16u); }
}`;
}

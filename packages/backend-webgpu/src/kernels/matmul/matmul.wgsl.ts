// Matrix products on WebGPU.
// v1  16 x 16 threads, 4 x 4 results each: 0.32 (nt), 0.32 (nn), 0.65 (tn) of the time of tfjs's own  <- used
// Square, 512, in one run on SwiftShader, best of 3 (545, 1106 and 1100 ms against 1724, 3445 and 1687).
import { activationFunctions } from "../activation/activation.wgsl.js";
import type { Product, Tile } from "./matmul.js";
import { weightElement } from "./storage.wgsl.js";

/** Steps of K that a workgroup has in its memory at a time. */
const DEPTH = 16;

/** Where element (k, m) of the left, or (k, n) of the right factor stands. */
const places: Readonly<Record<Product["layout"], { readonly left: string; readonly right: string }>> = {
  nt: { left: "m * uniforms.depth + k", right: "n * uniforms.depth + k" },
  nn: { left: "m * uniforms.depth + k", right: "k * uniforms.columns + n" },
  tn: { left: "k * uniforms.rows + m", right: "k * uniforms.columns + n" },
};

/**
 * A workgroup computes a tile of the product: strips of both factors, `DEPTH` steps of K long, go through its memory, and
 * each of 16 x 16 threads keeps `perThread` rows of 4 columns in registers.
 */
export function matmulCode({ layout, storage, bias, activation, accumulate }: Product, tile: Tile): string {
  const { left, right } = places[layout];
  const lefts = (tile.perThread * 16) / 4;
  const sums = Array.from({ length: tile.perThread }, (_, i) => i);
  return `
${activationFunctions(activation)}
${weightElement(storage)}
var<workgroup> left_strip : array<vec4<f32>, ${DEPTH * lefts}>;
var<workgroup> right_strip : array<vec4<f32>, ${DEPTH * 16}>;

fn left_element(k : u32, m : u32) -> f32 {
  if (k >= uniforms.depth || m >= uniforms.rows) { return 0.0; }
  return left[${left}];
}
fn right_element(k : u32, n : u32) -> f32 {
  if (k >= uniforms.depth || n >= uniforms.columns) { return 0.0; }
  return weight_element(${right});
}
fn left_four(k : u32, m : u32) -> vec4<f32> {
  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) { four[i] = left_element(k, m + i); }
  return four;
}
fn right_four(k : u32, n : u32) -> vec4<f32> {
  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) { four[i] = right_element(k, n + i); }
  return four;
}
fn store(m : u32, n : u32, value : f32) {
  if (m >= uniforms.rows || n >= uniforms.columns) { return; }
  let at = m * uniforms.columns + n;
  let sum = value${bias ? " + bias[n]" : ""};
  result[at] = ${accumulate ? "result[at] + " : ""}activate(sum);
}
fn store_four(m : u32, n : u32, values : vec4<f32>) {
  for (var i = 0u; i < 4u; i++) { store(m, n + i, values[i]); }
}

@compute @workgroup_size(16, 16)
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(local_invocation_id) thread : vec3<u32>,
  @builtin(local_invocation_index) lane : u32,
) {
  let first_row = group.y * ${tile.perThread * 16}u;
  let first_column = group.x * 64u;
${sums.map((i) => `  var sum${i} = vec4<f32>(0.0);`).join("\n")}
  for (var start = 0u; start < uniforms.depth; start += ${DEPTH}u) {
    ${loadStrip("left", lefts, layout === "tn")}
    ${loadStrip("right", 16, layout !== "nt")}
    workgroupBarrier();
    for (var k = 0u; k < ${DEPTH}u; k++) {
      let b = right_strip[k * 16u + thread.x];
${multiply(tile)}
    }
    workgroupBarrier();
  }
  let row = first_row + thread.y * ${tile.perThread}u;
  let column = first_column + thread.x * 4u;
${sums.map((i) => `  store_four(row + ${i}u, column, sum${i});`).join("\n")}
}`;
}

/** Threads next to each other read elements next to each other: along the strip where it is stored so, else along K. */
function loadStrip(side: "left" | "right", fours: number, along: boolean): string {
  const first = side === "left" ? "first_row" : "first_column";
  const place = along
    ? `let four = lane % ${fours}u; let k = lane / ${fours}u;`
    : `let k = lane % ${DEPTH}u; let four = lane / ${DEPTH}u;`;
  const guard = fours * DEPTH < 256 ? `if (lane < ${fours * DEPTH}u) ` : "";
  return `${guard}{ ${place} ${side}_strip[k * ${fours}u + four] = ${side}_four(start + k, ${first} + four * 4u); }`;
}

function multiply({ perThread }: Tile): string {
  if (perThread === 1) {
    return `      let a = left_strip[k * 4u + thread.y / 4u][thread.y % 4u];
      sum0 += a * b;`;
  }
  return `      let a = left_strip[k * 16u + thread.y];
      sum0 += a.x * b;
      sum1 += a.y * b;
      sum2 += a.z * b;
      sum3 += a.w * b;`;
}

// Matrix products on WebGPU.
// v1  16 x 16 threads, 4 x 4 results each: 0.32 (nt), 0.32 (nn), 0.65 (tn) of the time of tfjs's own; 1 x 4 each up to 32 rows
// v2  up to 32 rows and from 512 columns on 4 x 64 threads, 4 x 4 each: 0.4 of v1's time  <- used
// v1: square, 512, in one run on SwiftShader, best of 3 (545, 1106 and 1100 ms against 1724, 3445 and 1687). v2: 16 rows, D 576,
// V 49,152, the products of a cross entropy, 1.6 + 1.6 against 4.2 + 3.4 s of SwiftShader's device time.
import { activationFunctions } from "../activation/activation.wgsl.js";
import type { Product, Tile } from "./matmul.js";
import { weightElement } from "./storage.wgsl.js";

/** Threads of a workgroup. */
const THREADS = 256;

/** Where element (k, m) of the left, or (k, n) of the right factor stands. */
const places: Readonly<Record<Product["layout"], { readonly left: string; readonly right: string }>> = {
  nt: { left: "m * uniforms.depth + k", right: "n * uniforms.depth + k" },
  nn: { left: "m * uniforms.depth + k", right: "k * uniforms.columns + n" },
  tn: { left: "k * uniforms.rows + m", right: "k * uniforms.columns + n" },
};

/**
 * A workgroup computes a tile of the product: strips of both factors, `depth` steps of K long, go through its memory, and
 * each thread keeps `perThread` rows of 4 columns in registers.
 */
export function matmulCode({ layout, storage, bias, activation, accumulate }: Product, tile: Tile): string {
  const { left, right } = places[layout];
  const { rowThreads, columnThreads, perThread, depth } = tile;
  const lefts = (perThread * rowThreads) / 4;
  const sums = Array.from({ length: perThread }, (_, i) => i);
  return `
${activationFunctions(activation)}
${weightElement(storage)}
var<workgroup> left_strip : array<vec4<f32>, ${depth * lefts}>;
var<workgroup> right_strip : array<vec4<f32>, ${depth * columnThreads}>;

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

@compute @workgroup_size(${columnThreads}, ${rowThreads})
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(local_invocation_id) thread : vec3<u32>,
  @builtin(local_invocation_index) lane : u32,
) {
  let first_row = group.y * ${perThread * rowThreads}u;
  let first_column = group.x * ${4 * columnThreads}u;
${sums.map((i) => `  var sum${i} = vec4<f32>(0.0);`).join("\n")}
  for (var start = 0u; start < uniforms.depth; start += ${depth}u) {
    ${loadStrip("left", { fours: lefts, depth, along: layout === "tn" })}
    ${loadStrip("right", { fours: columnThreads, depth, along: layout !== "nt" })}
    workgroupBarrier();
    for (var k = 0u; k < ${depth}u; k++) {
      let b = right_strip[k * ${columnThreads}u + thread.x];
${multiply(perThread, lefts)}
    }
    workgroupBarrier();
  }
  let row = first_row + thread.y * ${perThread}u;
  let column = first_column + thread.x * 4u;
${sums.map((i) => `  store_four(row + ${i}u, column, sum${i});`).join("\n")}
}`;
}

interface Strip {
  readonly fours: number;
  readonly depth: number;
  readonly along: boolean;
}

/** Threads next to each other read elements next to each other: along the strip where it is stored so, else along K. */
function loadStrip(side: "left" | "right", { fours, depth, along }: Strip): string {
  const first = side === "left" ? "first_row" : "first_column";
  const place = along
    ? `let four = at % ${fours}u; let k = at / ${fours}u;`
    : `let k = at % ${depth}u; let four = at / ${depth}u;`;
  const total = fours * depth;
  const guard = total < THREADS ? `if (lane < ${total}u) ` : "";
  const rounds = Array.from({ length: Math.ceil(total / THREADS) }, (_, round) => round * THREADS);
  return rounds
    .map(
      (from) =>
        `${guard}{ let at = lane + ${from}u; ${place} ${side}_strip[k * ${fours}u + four] = ${side}_four(start + k, ${first} + four * 4u); }`,
    )
    .join("\n    ");
}

function multiply(perThread: Tile["perThread"], lefts: number): string {
  if (perThread === 1) {
    return `      let a = left_strip[k * ${lefts}u + thread.y / 4u][thread.y % 4u];
      sum0 += a * b;`;
  }
  return `      let a = left_strip[k * ${lefts}u + thread.y];
      sum0 += a.x * b;
      sum1 += a.y * b;
      sum2 += a.z * b;
      sum3 += a.w * b;`;
}

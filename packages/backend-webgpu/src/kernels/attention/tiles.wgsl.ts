import { mainOfGroups } from "../main.wgsl.js";

/** Rows of a tile, and columns of it: queries against keys, or rows against parts of their width. */
export const TILE = 32;

/** What the text of attention's shaders depends on. */
export interface AttentionVariant {
  /** Tiles that a head is wide. */
  readonly chunks: number;
  /** Whether heads are whole vectors of four. */
  readonly vectors: boolean;
}

/** A matrix of rows by heads that a shader reads in tiles: those of the queries, or those of the keys. */
export type TileArray = "q" | "k" | "v" | "dy";

/** Numbers of the tiles that a head is wide. */
export function chunksOf({ chunks }: AttentionVariant): readonly number[] {
  return Array.from({ length: chunks }, (_, chunk) => chunk);
}

/** Arrays of vectors where heads are whole vectors. */
export function elementOf({ vectors }: AttentionVariant): "vec4<f32>" | "f32" {
  return vectors ? "vec4<f32>" : "f32";
}

/**
 * Workgroups of 128 threads; thread (x, y) of 8 x 16 has columns 4x .. 4x + 3 of the rows y and y + 16 of a tile. Rows of
 * tiles in memory are shuffled (`at`), so that threads do not wait for each other's banks.
 *
 * The query heads of a key-value head count as rows of their own, "pairs" of a row and a head, so that they share keys.
 * An entry of `tiles` is the first pair or key, a sample's rows (first query, queries, first key, keys), and the first
 * query row of the sample that matters.
 */
export const tileFunctions = /* wgsl */ `
var<workgroup> left : array<vec4<f32>, 256>;
var<workgroup> right : array<vec4<f32>, 256>;
var<workgroup> weights : array<vec4<f32>, 256>;

struct Two { a : vec4<f32>, b : vec4<f32> }
struct Tile { first : i32, q_start : i32, queries : i32, k_start : i32, keys : i32, q_from : i32, kv_head : i32 }

fn tile_of(number : u32) -> Tile {
  let i = number / uniforms.kv_heads * 6u;
  let kv_head = i32(number % uniforms.kv_heads);
  return Tile(tiles[i], tiles[i + 1u], tiles[i + 2u], tiles[i + 3u], tiles[i + 4u], tiles[i + 5u], kv_head);
}
fn at(row : u32, four : u32) -> u32 {
  return row * 8u + (four ^ ((row >> 2u) & 7u));
}
fn pair_place(tile : Tile, pair : i32) -> u32 {
  let row = u32(tile.q_start + pair / uniforms.group);
  return row * uniforms.kv_heads * u32(uniforms.group) + u32(tile.kv_head * uniforms.group + pair % uniforms.group);
}
fn key_place(tile : Tile, key : i32) -> u32 {
  return u32(tile.k_start + key) * uniforms.kv_heads + u32(tile.kv_head);
}
fn sees(tile : Tile, pair : i32, key : i32) -> bool {
  let row = pair / uniforms.group;
  let back = tile.keys - tile.queries + row - key;
  let inside = uniforms.causal == 0u || (back >= 0 && (uniforms.window == 0 || back < uniforms.window));
  return inside && row < tile.queries && key < tile.keys;
}
fn keys_seen(tile : Tile) -> vec2<i32> {
  if (uniforms.causal == 0u) { return vec2<i32>(0, tile.keys); }
  let ahead = tile.keys - tile.queries;
  let to = min(tile.keys, ahead + min((tile.first + ${TILE - 1}) / uniforms.group, tile.queries - 1) + 1);
  if (uniforms.window == 0) { return vec2<i32>(0, to); }
  return vec2<i32>(max(0, ahead + tile.first / uniforms.group - uniforms.window + 1), to);
}
fn pairs_seeing(tile : Tile) -> vec2<i32> {
  if (uniforms.causal == 0u) { return vec2<i32>(tile.q_from, tile.queries) * uniforms.group; }
  let ahead = tile.keys - tile.queries;
  let from_row = max(tile.q_from, tile.first - ahead);
  if (uniforms.window == 0) { return vec2<i32>(from_row, tile.queries) * uniforms.group; }
  return vec2<i32>(from_row, min(tile.queries, tile.first + ${TILE - 1} - ahead + uniforms.window)) * uniforms.group;
}
// WGSL's own tanh may be off by 1e-5; by exp, small values would lose their digits.
fn tanh_of(x : f32) -> f32 {
  let z = x * x;
  let near = x + x * z * (-3.33333333e-1 + z * (1.33333333e-1 + z * (-5.39682540e-2 + z * 2.18694885e-2)));
  let far = 1.0 - 2.0 / (exp(min(2.0 * x, 88.0)) + 1.0);
  return select(far, near, abs(x) < 0.25);
}
fn cap(score : f32) -> f32 {
  if (uniforms.softcap == 0.0) { return score; }
  return uniforms.softcap * tanh_of(score / uniforms.softcap);
}
fn cap_slope(capped : f32) -> f32 {
  if (uniforms.softcap == 0.0) { return 1.0; }
  let t = capped / uniforms.softcap;
  return 1.0 - t * t;
}
fn row_total(row : u32) -> f32 {
  var total = vec4<f32>();
  for (var j = 0u; j < 8u; j++) { total += weights[at(row, j)]; }
  return dot(total, vec4<f32>(1.0));
}
fn add_weighted(sum : Two, lane : u32) -> Two {
  let x = lane % 8u;
  let y = lane / 8u;
  var result = sum;
  for (var j = 0u; j < 8u; j++) {
    let a = weights[at(y, j)];
    let b = weights[at(y + 16u, j)];
    for (var i = 0u; i < 4u; i++) {
      let four = right[at(4u * j + i, x)];
      result.a += a[i] * four;
      result.b += b[i] * four;
    }
  }
  return result;
}`;

/** `NAME_four(place, column)`: four columns of a head, 0 beyond its width; `place` counts heads of rows. */
export function readFour(name: TileArray, variant: AttentionVariant): string {
  const body =
    elementOf(variant) === "f32"
      ? `  var four = vec4<f32>();
  for (var i = 0u; i < 4u; i++) { if (column + i < uniforms.width) { four[i] = ${name}[place * uniforms.width + column + i]; } }
  return four;`
      : `  if (column >= uniforms.width) { return vec4<f32>(); }
  return ${name}[(place * uniforms.width + column) / 4u];`;
  return `fn ${name}_four(place : u32, column : u32) -> vec4<f32> {\n${body}\n}`;
}

/** `NAME_store(place, column, values)`, the opposite of {@link readFour}. */
export function storeFour(name: string, variant: AttentionVariant): string {
  const body =
    elementOf(variant) === "f32"
      ? `  for (var i = 0u; i < 4u; i++) { if (column + i < uniforms.width) { ${name}[place * uniforms.width + column + i] = values[i]; } }`
      : `  if (column < uniforms.width) { ${name}[(place * uniforms.width + column) / 4u] = values; }`;
  return `fn ${name}_store(place : u32, column : u32, values : vec4<f32>) {\n${body}\n}`;
}

const isOfQueries: Readonly<Record<TileArray, boolean>> = { q: true, dy: true, k: false, v: false };

/** `load_SIDE_NAME(tile, first, chunk, lane)`: rows from `first` on, 32 columns of each, into a tile. */
export function load(side: "left" | "right", name: TileArray): string {
  const [rows, place] = isOfQueries[name]
    ? ["tile.queries * uniforms.group", "pair_place"]
    : ["tile.keys", "key_place"];
  return /* wgsl */ `
fn load_${side}_${name}(tile : Tile, first : i32, chunk : u32, lane : u32) {
  for (var i = lane; i < 256u; i += 128u) {
    let row = first + i32(i / 8u);
    var four = vec4<f32>();
    if (row < ${rows}) { four = ${name}_four(${place}(tile, row), chunk * ${TILE}u + i % 8u * 4u); }
    ${side}[at(i / 8u, i % 8u)] = four;
  }
}`;
}

/** `LEFT_times_RIGHT(tile, first_left, first_right, lane)`: products of rows of one matrix with rows of the other. */
export function products(leftName: TileArray, rightName: TileArray, variant: AttentionVariant): string {
  return /* wgsl */ `
${load("left", leftName)}
fn ${leftName}_times_${rightName}(tile : Tile, first_left : i32, first_right : i32, lane : u32) -> Two {
  let x = lane % 8u;
  let y = lane / 8u;
  var sum = Two();
  for (var chunk = 0u; chunk < ${variant.chunks}u; chunk++) {
    load_left_${leftName}(tile, first_left, chunk, lane);
    load_right_${rightName}(tile, first_right, chunk, lane);
    workgroupBarrier();
    for (var f = 0u; f < 8u; f++) {
      let a = left[at(y, f)];
      let b = left[at(y + 16u, f)];
      let f0 = right[at(4u * x, f)];
      let f1 = right[at(4u * x + 1u, f)];
      let f2 = right[at(4u * x + 2u, f)];
      let f3 = right[at(4u * x + 3u, f)];
      sum.a += vec4<f32>(dot(a, f0), dot(a, f1), dot(a, f2), dot(a, f3));
      sum.b += vec4<f32>(dot(b, f0), dot(b, f1), dot(b, f2), dot(b, f3));
    }
    workgroupBarrier();
  }
  return sum;
}`;
}

/** Adds `weights` times the rows of a matrix from `first` on, to `NAME_0`, `NAME_1`, ...: one for each chunk of a head. */
export function addRows(sums: string, name: TileArray, first: string, variant: AttentionVariant): string {
  const steps = chunksOf(variant).map(
    (chunk) => `
    load_right_${name}(tile, ${first}, ${chunk}u, lane);
    workgroupBarrier();
    ${sums}_${chunk} = add_weighted(${sums}_${chunk}, lane);
    workgroupBarrier();`,
  );
  return steps.join("").trim();
}

/** Declares the sums of {@link addRows}. */
export function declareSums(sums: string, variant: AttentionVariant): string {
  return chunksOf(variant)
    .map((chunk) => `  var ${sums}_${chunk} = Two();`)
    .join("\n");
}

/** Stores the sums of a row of a tile, `a` or `b`, times `factor`. */
export function storeSums(
  sums: string,
  target: string,
  { row, place, factor }: { readonly row: "a" | "b"; readonly place: string; readonly factor: string },
  variant: AttentionVariant,
): string {
  return chunksOf(variant)
    .map(
      (chunk) => `${target}_store(${place}, ${chunk * TILE}u + 4u * x, ${sums}_${chunk}.${row} * ${factor});`,
    )
    .join("\n    ");
}

/** Start of `main`: the number of a workgroup, its tile, and where a thread stands. */
export const mainOfTiles = /* wgsl */ `
${mainOfGroups(128)}
  if (number >= uniforms.count) { return; }
  let tile = tile_of(number);
  let x = lane % 8u;
  let y = lane / 8u;
  let row_a = tile.first + i32(y);
  let row_b = row_a + 16;`.trim();

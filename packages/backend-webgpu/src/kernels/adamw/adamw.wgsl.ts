// AdamW on WebGPU.
// v1  four elements a thread, in place: 0.13 of the time of stock operations  <- used
// 384 x 576, 576 x 576, 576 on SwiftShader: benchmarks/results/webgpu.jsonl.
import type { MomentStorage } from "@basic-mllm/core";

import { mainOfGroups } from "../main.wgsl.js";

/** What every storage shares. `control` says how the gradient is scaled, and whether to update. */
const update = /* wgsl */ `
struct Moments { m : f32, v : f32 }
fn updates() -> bool { return control[1] > 0.0; }
fn next(i : u32, m : f32, v : f32) -> Moments {
  let g = gradient[i] * control[0];
  return Moments(
    uniforms.beta1 * m + uniforms.one_minus_beta1 * g,
    uniforms.beta2 * v + uniforms.one_minus_beta2 * g * g,
  );
}
fn move_parameter(i : u32, moments : Moments) {
  let root = sqrt(moments.v / uniforms.correction2) + uniforms.epsilon;
  let step = (moments.m / uniforms.correction1) / root * uniforms.learning_rate;
  parameter[i] = parameter[i] * uniforms.decay - step;
}`;

/** 16 random bits of an element in a step, in the high half for the first moment and the low one for the second. */
const noise = /* wgsl */ `
fn noise(i : u32) -> u32 {
  var x = (uniforms.first + i) * 0x9e3779b1u + uniforms.step * 0x85ebca77u;
  x ^= x >> 16u;
  x *= 0x7feb352du;
  x ^= x >> 15u;
  x *= 0x846ca68bu;
  x ^= x >> 16u;
  return x;
}`;

/** One invocation an element. */
const float32 = /* wgsl */ `
${update}
${mainOfGroups(64)}
  if (!updates()) { return; }
  let first = number * 256u + lane;
  for (var i = first; i < min(first + 256u, uniforms.count); i += 64u) {
    let moments = next(i, m[i], v[i]);
    m[i] = moments.m;
    v[i] = moments.v;
    move_parameter(i, moments);
  }
}`;

/** Two elements a word: each invocation takes two words. */
const bfloat16 = /* wgsl */ `
${update}
${noise}
fn half_of(word : u32, i : u32) -> f32 {
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, i % 2u == 1u));
}
fn packed(value : f32, random : u32, i : u32) -> u32 {
  let bits = (bitcast<u32>(value) + random) >> 16u;
  return select(bits, bits << 16u, i % 2u == 1u);
}
fn update_word(word : u32) {
  let old_m = bitcast<u32>(m[word]);
  let old_v = bitcast<u32>(v[word]);
  var new_m = 0u;
  var new_v = 0u;
  for (var i = word * 2u; i < min(word * 2u + 2u, uniforms.count); i++) {
    let moments = next(i, half_of(old_m, i), half_of(old_v, i));
    let random = noise(i);
    new_m |= packed(moments.m, random >> 16u, i);
    new_v |= packed(moments.v, random & 0xffffu, i);
    move_parameter(i, moments);
  }
  m[word] = bitcast<i32>(new_m);
  v[word] = bitcast<i32>(new_v);
}
${mainOfGroups(64)}
  if (!updates()) { return; }
  let first = number * 128u + lane;
  for (var word = first; word < first + 128u; word += 64u) {
    if (word * 2u < uniforms.count) { update_word(word); }
  }
}`;

/**
 * A workgroup a block of 256 elements, 65 words: a scale, then a byte an element. An invocation takes the four of a word.
 * Levels are fourth powers: `low` and the one above it are those beside a value, and the random number chooses.
 */
const int8 = /* wgsl */ `
${update}
${noise}
var<workgroup> largest : array<vec2<f32>, 64>;
fn level_of(code : f32, levels : f32) -> f32 {
  let root = code * (1.0 / levels);
  let square = root * root;
  return square * square;
}
fn code_of(value : f32, scale : f32, random : u32, levels : f32) -> u32 {
  var size = 0.0;
  if (scale > 0.0) { size = abs(value) / scale; }
  let below = trunc(sqrt(sqrt(size)) * levels);
  let low = level_of(below, levels);
  let gap = level_of(below + 1.0, levels) - low;
  let up = (f32(random) / 65536.0) * gap < size - low;
  return u32(below) + select(0u, 1u, up);
}
fn scale_of(value : f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(value) + 0xffffu) & 0xffff0000u);
}
${mainOfGroups(64)}
  let block = number;
  if (block * 256u >= uniforms.count) { return; }
  let update = updates();
  let word = block * 65u + 1u + lane;
  let first = block * 256u + lane * 4u;
  let some = first < uniforms.count;
  var old_m = 0u;
  var old_v = 0u;
  if (some) {
    old_m = bitcast<u32>(m[word]);
    old_v = bitcast<u32>(v[word]);
  }
  let m_scale = bitcast<f32>(m[block * 65u]);
  let v_scale = bitcast<f32>(v[block * 65u]);
  var moments : array<Moments, 4>;
  var most = vec2<f32>();
  for (var i = 0u; i < 4u; i++) {
    if (!update || first + i >= uniforms.count) { continue; }
    let m_code = i32((old_m >> (8u * i)) << 24u) >> 24u;
    let v_code = (old_v >> (8u * i)) & 255u;
    let m_size = level_of(f32(abs(m_code)), 127.0) * m_scale;
    let v_size = level_of(f32(v_code), 255.0) * v_scale;
    moments[i] = next(first + i, select(m_size, -m_size, m_code < 0), v_size);
    most = max(most, vec2<f32>(abs(moments[i].m), abs(moments[i].v)));
  }
  largest[lane] = most;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) { largest[lane] = max(largest[lane], largest[lane + half]); }
    workgroupBarrier();
  }
  if (!update) { return; }
  let new_m_scale = scale_of(largest[0].x);
  let new_v_scale = scale_of(largest[0].y);
  var new_m = 0u;
  var new_v = 0u;
  for (var i = 0u; i < 4u; i++) {
    if (first + i >= uniforms.count) { continue; }
    let random = noise(first + i);
    let m_code = code_of(moments[i].m, new_m_scale, random >> 16u, 127.0);
    let v_code = code_of(moments[i].v, new_v_scale, random & 0xffffu, 255.0);
    let signed_code = select(m_code, (256u - m_code) & 255u, moments[i].m < 0.0);
    new_m |= signed_code << (8u * i);
    new_v |= max(v_code, select(0u, 1u, moments[i].v > 0.0)) << (8u * i);
    move_parameter(first + i, moments[i]);
  }
  if (some) {
    m[word] = bitcast<i32>(new_m);
    v[word] = bitcast<i32>(new_v);
  }
  if (lane == 0u) {
    m[block * 65u] = bitcast<i32>(bitcast<u32>(new_m_scale));
    v[block * 65u] = bitcast<i32>(bitcast<u32>(new_v_scale));
  }
}`;

/** AdamW of one tensor in place, by how its moments are stored. */
export const adamwCode: Readonly<Record<MomentStorage, string>> = { float32, bfloat16, int8 };

// Rotary positions on WebGPU.
// v1  four heads a thread: 0.21 of the time of stock operations  <- used
// R=128/H=9/w=64 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";

/** Heads that a thread turns by the same angle. */
export const HEADS_AT_ONCE = 4;

/**
 * Turns are fixed-point fractions of 2^32, so that a position times a frequency wraps as angles do, without rounding.
 * WGSL's own sine and cosine may be off by 2^-11: these are Taylor sums over an eighth of a turn to either side.
 */
const TURNS = /* wgsl */ `
fn high_product(a : u32, b : u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}
fn turn_of(position : i32, j : u32) -> u32 {
  let fraction = frequencies[2u * j + 1u];
  let times = bitcast<u32>(position);
  return times * frequencies[2u * j] + high_product(times, fraction) - select(0u, fraction, position < 0);
}
fn cosine_and_sine(turn : u32) -> vec2<f32> {
  let quarter = (turn + 0x20000000u) >> 30u;
  let x = f32(bitcast<i32>(turn - (quarter << 30u))) * 1.46291807927e-9;
  let z = x * x;
  let c = 1.0 + z * (-0.5 + z * (4.16666667e-2 + z * (-1.38888889e-3 + z * (2.48015873e-5 - z * 2.75573192e-7))));
  let s = x + x * z * (-1.66666667e-1 + z * (8.33333333e-3 + z * (-1.98412698e-4 + z * 2.75573192e-6)));
  let turned = select(vec2<f32>(c, s), vec2<f32>(-s, c), quarter % 2u == 1u);
  return select(turned, -turned, quarter >= 2u);
}`;

/** A thread has a row, some heads, and a pair of columns that turns, or one that passes through. */
export const rotaryCode = /* wgsl */ `
${TURNS}
fn element(i : u32) {
  let columns = uniforms.width - uniforms.pairs;
  let blocks = (uniforms.heads + ${HEADS_AT_ONCE - 1}u) / ${HEADS_AT_ONCE}u;
  let j = i % columns;
  let row = i / columns / blocks;
  let first = (i / columns % blocks) * ${HEADS_AT_ONCE}u;
  var turn = vec2<f32>();
  if (j < uniforms.pairs) {
    turn = cosine_and_sine(turn_of(positions[row], j)) * vec2<f32>(uniforms.scale, uniforms.sine_scale);
  }
  for (var head = first; head < min(first + ${HEADS_AT_ONCE}u, uniforms.heads); head++) {
    let start = (row * uniforms.heads + head) * uniforms.width + j;
    if (j < uniforms.pairs) {
      let a = x[start];
      let b = x[start + uniforms.pairs];
      y[start] = a * turn.x - b * turn.y;
      y[start + uniforms.pairs] = b * turn.x + a * turn.y;
    } else {
      y[start + uniforms.pairs] = x[start + uniforms.pairs];
    }
  }
}
${forEachElement}`;

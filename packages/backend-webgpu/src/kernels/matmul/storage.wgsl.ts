import type { Storage } from "@basic-mllm/core";

/** By its bits: unpack2x16float may take what is below 2^-14 for zero. */
const HALF = /* wgsl */ `
fn half_of(bits : u32) -> f32 {
  let size = bits & 0x7fffu;
  let exponent = select(0x38000000u, 0x70000000u, size >= 0x7c00u);
  let small = bitcast<u32>(f32(size) * 0x1p-24);
  return bitcast<f32>(((bits & 0x8000u) << 16u) | select((size << 13u) + exponent, small, size < 0x400u));
}`;

/** A half at a byte place that is even, and a byte at any, out of little-endian words. */
const BYTES = /* wgsl */ `${HALF}
fn half_at(place : u32) -> f32 {
  return half_of((bitcast<u32>(weight[place / 4u]) >> (8u * (place % 4u))) & 0xffffu);
}
fn byte_at(place : u32) -> u32 {
  return (bitcast<u32>(weight[place / 4u]) >> (8u * (place % 4u))) & 255u;
}`;

/** Blocks of 32 values: a scale (and, in q4_1, a minimum), then bytes, or halves of bytes: values i and i + 16. */
const functions: Readonly<Record<Storage, string>> = {
  f32: `
fn weight_element(i : u32) -> f32 { return weight[i]; }`,
  bf16: `
fn weight_element(i : u32) -> f32 {
  let word = bitcast<u32>(weight[i / 2u]);
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, i % 2u == 1u));
}`,
  f16: `${HALF}
fn weight_element(i : u32) -> f32 {
  return half_of((bitcast<u32>(weight[i / 2u]) >> (16u * (i % 2u))) & 0xffffu);
}`,
  q8_0: `${BYTES}
fn weight_element(i : u32) -> f32 {
  let block = (i / 32u) * 34u;
  let level = i32(byte_at(block + 2u + i % 32u) << 24u) >> 24u;
  return half_at(block) * f32(level);
}`,
  q4_0: `${BYTES}
fn weight_element(i : u32) -> f32 {
  let block = (i / 32u) * 18u;
  let level = (byte_at(block + 2u + i % 16u) >> select(0u, 4u, i % 32u >= 16u)) & 15u;
  return half_at(block) * (f32(level) - 8.0);
}`,
  q4_1: `${BYTES}
fn weight_element(i : u32) -> f32 {
  let block = (i / 32u) * 20u;
  let level = (byte_at(block + 4u + i % 16u) >> select(0u, 4u, i % 32u >= 16u)) & 15u;
  return half_at(block) * f32(level) + half_at(block + 2u);
}`,
};

/** WGSL function `weight_element(i)`: value i of the array `weight`, which is stored in one of core's ways. */
export function weightElement(storage: Storage): string {
  return functions[storage].trim();
}

// Dropout on WebGPU.
// v1  a block of random bits a thread: 0.38 of the time of stock operations  <- used
// R=128/D=1536 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { forEachElement } from "../elementwise.js";

/**
 * `y = x · mask / (1 − p)`: one thread for the eight values of a block of random bits. Nothing is stored between calls.
 *
 * The product of two words is built from their halves: WGSL has no upper half of a product.
 */
export const dropoutCode = /* wgsl */ `
fn product_high(a : u32, b : u32) -> u32 {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let cross = a_high * b_low + ((a_low * b_low) >> 16u);
  let middle = a_low * b_high + (cross & 0xffffu);
  return a_high * b_high + (cross >> 16u) + (middle >> 16u);
}

fn philox(block : u32) -> vec4<u32> {
  var c = vec4<u32>(block, 0u, uniforms.stream_low, uniforms.stream_high);
  var key = vec2<u32>(uniforms.key_low, uniforms.key_high);
  for (var round = 0u; round < 10u; round++) {
    let a = vec2<u32>(product_high(0xd2511f53u, c.x), 0xd2511f53u * c.x);
    let b = vec2<u32>(product_high(0xcd9e8d57u, c.z), 0xcd9e8d57u * c.z);
    c = vec4<u32>(b.x ^ c.y ^ key.x, b.y, a.x ^ c.w ^ key.y, a.y);
    key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

fn element(block : u32) {
  let words = philox(block);
  for (var i = 0u; i < 8u; i++) {
    let at = block * 8u + i;
    if (at >= uniforms.size) {
      return;
    }
    let bits = (words[i / 2u] >> (16u * (i % 2u))) & 0xffffu;
    y[at] = x[at] * select(0.0, uniforms.factor, bits >= uniforms.threshold);
  }
}
${forEachElement}`;

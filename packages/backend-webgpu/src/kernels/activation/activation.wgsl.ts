// Activations on WebGPU.
// v1  four elements a thread: 0.27 plain, 0.18 plain backward, 0.62 gated, 0.29 gated backward of the time of stock operations  <- used
// R=128/D=1536, gelu; R=128/D=1536 on SwiftShader: benchmarks/results/webgpu.jsonl.
import type { ActivationKind } from "@basic-mllm/core";

/** `1 / (1 + e^-x)`; exp of more than 88 would be infinite. */
const SIGMOID = /* wgsl */ `
fn sigmoid(x : f32) -> f32 {
  return 1.0 / (1.0 + exp(min(-x, 88.0)));
}`;

/** By exp: WGSL allows its own tanh an error of 1e-5. */
const TANH = /* wgsl */ `
fn tanh_of(x : f32) -> f32 {
  return 1.0 - 2.0 / (exp(min(2.0 * x, 88.0)) + 1.0);
}
fn tanh_argument(x : f32) -> f32 {
  return 0.7978845608 * (x + 0.044715 * x * x * x);
}`;

/** Abramowitz and Stegun 7.1.26: good to 1.5e-7, and to that times e^(-x²/2) in the tails. */
const NORMAL_CDF = /* wgsl */ `
fn normal_cdf(x : f32) -> f32 {
  let z = abs(x) * 0.7071067812;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let tail = 0.5 * series * exp(-min(z * z, 88.0));
  return select(tail, 1.0 - tail, x > 0.0);
}`;

/** `activate` and `slope`: act(x) and act'(x). */
const functions: Readonly<Record<ActivationKind, string>> = {
  none: `
fn activate(x : f32) -> f32 { return x; }
fn slope(x : f32) -> f32 { return 1.0; }`,
  relu: `
fn activate(x : f32) -> f32 { return max(x, 0.0); }
fn slope(x : f32) -> f32 { return select(0.0, 1.0, x > 0.0); }`,
  silu: `${SIGMOID}
fn activate(x : f32) -> f32 { return x * sigmoid(x); }
fn slope(x : f32) -> f32 {
  let s = sigmoid(x);
  return s + x * s * (1.0 - s);
}`,
  "quick-gelu": `${SIGMOID}
fn activate(x : f32) -> f32 { return x * sigmoid(1.702 * x); }
fn slope(x : f32) -> f32 {
  let s = sigmoid(1.702 * x);
  return s + 1.702 * x * s * (1.0 - s);
}`,
  "gelu-tanh": `${TANH}
fn activate(x : f32) -> f32 { return 0.5 * x * (1.0 + tanh_of(tanh_argument(x))); }
fn slope(x : f32) -> f32 {
  let t = tanh_of(tanh_argument(x));
  let inner = 0.7978845608 * (1.0 + 0.134145 * x * x);
  return 0.5 * (1.0 + t + x * (1.0 - t * t) * inner);
}`,
  "gelu-erf": `${NORMAL_CDF}
fn activate(x : f32) -> f32 { return x * normal_cdf(x); }
fn slope(x : f32) -> f32 {
  return normal_cdf(x) + x * 0.3989422804 * exp(-min(0.5 * x * x, 88.0));
}`,
};

/** WGSL functions `activate(x)` and `slope(x)`, the value and the derivative of an activation. */
export function activationFunctions(kind: ActivationKind): string {
  return functions[kind].trim();
}

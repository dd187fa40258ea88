/**
 * WGSL functions `cap(x)`, `softcap tanh(x / softcap)` with the softcap in the uniforms, and `cap_slope(y)`, its derivative
 * where it is y. WGSL allows its own tanh an error of 1e-5; near 0 a series keeps the relative error small.
 */
export function capFunctions(capped: boolean): string {
  if (!capped) {
    return /* wgsl */ `
fn cap(x : f32) -> f32 { return x; }
fn cap_slope(y : f32) -> f32 { return 1.0; }`;
  }
  return /* wgsl */ `
fn tanh_of(x : f32) -> f32 {
  if (abs(x) < 0.25) {
    let s = x * x;
    return x * (1.0 + s * (-0.3333333333 + s * (0.1333333333 + s * (-0.0539682540 + s * 0.0218694885))));
  }
  return 1.0 - 2.0 / (exp(min(2.0 * x, 88.0)) + 1.0);
}
fn cap(x : f32) -> f32 { return uniforms.softcap * tanh_of(x / uniforms.softcap); }
fn cap_slope(y : f32) -> f32 {
  let t = y / uniforms.softcap;
  return 1.0 - t * t;
}`;
}

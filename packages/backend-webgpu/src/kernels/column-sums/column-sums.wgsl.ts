/** Rows that one workgroup adds. */
export const ROWS_AT_ONCE = 128;

/** Threads next to each other take columns next to each other. */
export const columnSumsCode = /* wgsl */ `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) thread : vec3<u32>, @builtin(workgroup_id) group : vec3<u32>) {
  let column = thread.x;
  if (column >= uniforms.columns) { return; }
  var sum = 0.0;
  let first = group.y * ${ROWS_AT_ONCE}u;
  for (var row = first; row < min(first + ${ROWS_AT_ONCE}u, uniforms.rows); row++) {
    sum += x[row * uniforms.columns + column];
  }
  sums[group.y * uniforms.columns + column] = sum;
}`;

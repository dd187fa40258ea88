/**
 * WGSL functions `group_sum(lane, value)` and `group_max(lane, value)` over the invocations of a workgroup of `threads`, a
 * power of two. Every invocation must call them; each gets the result.
 */
export function groupReductions(threads: number): string {
  return /* wgsl */ `
var<workgroup> group_values : array<f32, ${threads}>;
${reduction("group_sum", threads, "group_values[lane] + group_values[lane + half]")}
${reduction("group_max", threads, "max(group_values[lane], group_values[lane + half])")}`;
}

/** The barrier after reading: the next call writes into the same array. */
function reduction(name: string, threads: number, both: string): string {
  return /* wgsl */ `
fn ${name}(lane : u32, value : f32) -> f32 {
  group_values[lane] = value;
  workgroupBarrier();
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    if (lane < half) { group_values[lane] = ${both}; }
    workgroupBarrier();
  }
  let result = group_values[0];
  workgroupBarrier();
  return result;
}`;
}

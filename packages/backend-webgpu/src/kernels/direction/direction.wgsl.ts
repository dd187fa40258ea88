// Direction between rows on WebGPU.
// v1  64 threads a row: 0.55 plain, 0.40 backward of the time of stock operations  <- used
// R=128/D=576 on SwiftShader: benchmarks/results/webgpu.jsonl.
import { mainOfGroups } from "../main.wgsl.js";
import { groupReductions } from "../reduce.wgsl.js";

/** Rows up to this length count as zero rows. */
const SHORTEST = "1e-12";

/** A workgroup takes a row: `start` is its first element. */
const rowOfGroup = /* wgsl */ `
${mainOfGroups(64)}
  let row = number;
  if (row >= uniforms.rows) { return; }
  let start = row * uniforms.width;
  var squares = vec2<f32>();
  for (var d = lane; d < uniforms.width; d += 64u) {
    squares += vec2<f32>(v[start + d] * v[start + d], r[start + d] * r[start + d]);
  }
  let v_length = max(sqrt(group_sum(lane, squares.x)), ${SHORTEST});
  let r_length = max(sqrt(group_sum(lane, squares.y)), ${SHORTEST});`;

export const directionCode = /* wgsl */ `
${groupReductions(64)}
${rowOfGroup}
  var sum = 0.0;
  for (var d = lane; d < uniforms.width; d += 64u) {
    let gap = v[start + d] / v_length - r[start + d] / r_length;
    sum += gap * gap;
  }
  let distance = group_sum(lane, sum);
  if (lane == 0u) { loss[row] = a[row] * distance; }
}`;

/** `dx = factor (u' - (u . u') u) / |x|` for a row of unit vector u, and u' the other one's. */
export function directionBackwardCode(needsRefined: boolean): string {
  const refined = "    dr[start + d] = r_factor * (v_unit - cosine * r_unit);";
  return /* wgsl */ `
${groupReductions(64)}
${rowOfGroup}
  var product = 0.0;
  for (var d = lane; d < uniforms.width; d += 64u) {
    product += (v[start + d] / v_length) * (r[start + d] / r_length);
  }
  let cosine = group_sum(lane, product);
  let factor = -2.0 * dloss[row] * a[row];
  let v_factor = select(0.0, factor / v_length, v_length > ${SHORTEST});
  let r_factor = select(0.0, factor / r_length, r_length > ${SHORTEST});
  for (var d = lane; d < uniforms.width; d += 64u) {
    let v_unit = v[start + d] / v_length;
    let r_unit = r[start + d] / r_length;
    dv[start + d] = v_factor * (r_unit - cosine * v_unit);
${needsRefined ? refined : ""}
  }
}`;
}

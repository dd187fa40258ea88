import { forEachElement } from "../elementwise.js";

/** Copies the new rows of keys and values to their buffers; `targets` are rows of these. */
export const writeRowsCode = /* wgsl */ `
fn element(i : u32) {
  let place = u32(targets[i / uniforms.width]) * uniforms.width + i % uniforms.width;
  keys[place] = k[i];
  values[place] = v[i];
}
${forEachElement}`;

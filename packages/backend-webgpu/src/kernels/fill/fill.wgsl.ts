import { forEachElement } from "../elementwise.js";

export const fillCode = /* wgsl */ `
fn element(i : u32) { y[i] = uniforms.value; }
${forEachElement}`;

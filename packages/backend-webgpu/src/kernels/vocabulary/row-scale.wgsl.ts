import { forEachElement } from "../elementwise.js";

/** Rows times factors. */
export const rowScaleCode = /* wgsl */ `
fn element(i : u32) { x[i] *= factors[i / uniforms.width]; }
${forEachElement}`;

import { forEachElement } from "../elementwise.js";

export const accumulateCode = /* wgsl */ `
fn element(i : u32) { sum[i] += term[i]; }
${forEachElement}`;

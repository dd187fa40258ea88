import { forEachElement } from "../elementwise.js";

export const clearCode = (element: "f32" | "vec4<f32>") => /* wgsl */ `
fn element(i : u32) { y[i] = ${element}(); }
${forEachElement}`;

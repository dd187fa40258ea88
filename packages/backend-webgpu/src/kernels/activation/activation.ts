import {
  type ActivationKind,
  activation,
  activationBackward,
  gatedActivation,
  gatedActivationBackward,
} from "@basic-mllm/core";

import { defineProgram } from "../../program.js";
import { forEachElement, overElements } from "../elementwise.js";
import { implement } from "../implement.js";
import { activationFunctions } from "./activation.wgsl.js";

/** BasicActivation, BasicGatedActivation and their backward kernels: one thread for four elements. */
export function registerActivations(): void {
  implement(activation, ({ backend, inputs, attrs, out, dispatch }) => {
    const run = overElements(inputs.x, backend);
    dispatch(forward(attrs.kind), { reads: { x: inputs.x }, writes: { y: out(0) }, ...run });
  });
  implement(activationBackward, ({ backend, inputs, attrs, out, dispatch }) => {
    const run = overElements(inputs.x, backend);
    dispatch(backward(attrs.kind), { reads: inputs, writes: { dx: out(0) }, ...run });
  });
  implement(gatedActivation, ({ backend, inputs, attrs, out, dispatch }) => {
    const run = overElements(inputs.gate, backend);
    dispatch(gated(attrs.kind), { reads: inputs, writes: { y: out(0) }, ...run });
  });
  implement(gatedActivationBackward, ({ backend, inputs, attrs, out, dispatch }) => {
    const run = overElements(inputs.gate, backend);
    const writes = { dgate: out(0), dup: out(1) };
    dispatch(gatedBackward(attrs.kind), { reads: inputs, writes, ...run });
  });
}

const uniforms = { count: "u32" } as const;

function code(kind: ActivationKind, element: string): () => string {
  return () => `${activationFunctions(kind)}\nfn element(i : u32) {\n${element}\n}\n${forEachElement}`;
}

function forward(kind: ActivationKind) {
  return defineProgram({
    name: `activation ${kind}`,
    reads: { x: "f32" },
    writes: { y: "f32" },
    uniforms,
    code: code(kind, "  y[i] = activate(x[i]);"),
  });
}

function backward(kind: ActivationKind) {
  return defineProgram({
    name: `activation backward ${kind}`,
    reads: { dy: "f32", x: "f32" },
    writes: { dx: "f32" },
    uniforms,
    code: code(kind, "  dx[i] = dy[i] * slope(x[i]);"),
  });
}

function gated(kind: ActivationKind) {
  return defineProgram({
    name: `gated activation ${kind}`,
    reads: { gate: "f32", up: "f32" },
    writes: { y: "f32" },
    uniforms,
    code: code(kind, "  y[i] = activate(gate[i]) * up[i];"),
  });
}

function gatedBackward(kind: ActivationKind) {
  return defineProgram({
    name: `gated activation backward ${kind}`,
    reads: { dy: "f32", gate: "f32", up: "f32" },
    writes: { dgate: "f32", dup: "f32" },
    uniforms,
    code: code(
      kind,
      `  let d = dy[i];
  let g = gate[i];
  dgate[i] = d * up[i] * slope(g);
  dup[i] = d * activate(g);`,
    ),
  });
}

// v1  one workgroup of 64 a row

import { direction, directionBackward } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { implement, spread } from "../implement.js";
import { directionBackwardCode, directionCode } from "./direction.wgsl.js";

const uniforms = { rows: "u32", width: "u32" } as const;

/** BasicDirection and BasicDirectionBackward. */
export function registerDirection(): void {
  implement(direction, ({ backend, inputs, out, dispatch }) => {
    dispatch(forward, { reads: inputs, writes: { loss: out(0) }, ...overRows(inputs.v, backend) });
  });
  implement(directionBackward, ({ backend, inputs, attrs, outputs, out, dispatch }) => {
    const [, dr] = outputs;
    const writes = { dv: out(0), ...(dr !== undefined && { dr }) };
    dispatch(backward(attrs.needsRefined), { reads: inputs, writes, ...overRows(inputs.v, backend) });
  });
}

const forward = defineProgram({
  name: "direction",
  reads: { v: "f32", r: "f32", a: "f32" },
  writes: { loss: "f32" },
  uniforms,
  code: directionCode,
});

function backward(needsRefined: boolean) {
  return defineProgram<"dloss" | "v" | "r" | "a", string, "rows" | "width">({
    name: `direction backward${needsRefined ? " refined" : ""}`,
    reads: { dloss: "f32", v: "f32", r: "f32", a: "f32" },
    writes: { dv: "f32", ...(needsRefined && { dr: "f32" }) },
    uniforms,
    code: () => directionBackwardCode(needsRefined),
  });
}

function overRows({ shape }: tf.TensorInfo, backend: WebGpuBackend) {
  const [rows, width] = shape as [number, number];
  return { uniforms: { rows, width }, workgroups: spread(rows, backend) };
}

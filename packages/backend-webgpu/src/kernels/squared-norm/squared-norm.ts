// v1  sums of 8192 elements, of seven tensors a dispatch; then one workgroup adds those

import { squaredNorm } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import type { Part } from "../../dispatch.js";
import { defineProgram, type UniformType } from "../../program.js";
import { implement, spread } from "../implement.js";
import { elementRuns, elementsOf } from "../parts.js";
import { ELEMENTS_AT_ONCE, squaresCode, totalCode } from "./squared-norm.wgsl.js";

/** Tensors of one dispatch: with the sums, as many arrays as every device binds. */
const TENSORS = 7;

/** BasicSquaredNorm: always the same sums in the same order. */
export function registerSquaredNorm(): void {
  implement(squaredNorm, ({ backend, inputs, out, scratch, dispatch }) => {
    const parts = Object.values<tf.TensorInfo>(inputs).flatMap((tensor) =>
      elementRuns(backend, tensor).map((run) => elementsOf(tensor, run)),
    );
    const count = parts.reduce((sum, part) => sum + groupsOf(part), 0);
    const sums = scratch([count]);
    let offset = 0;
    for (let first = 0; first < parts.length; first += TENSORS) {
      offset += addSquares(backend, parts.slice(first, first + TENSORS), { sums, offset });
    }
    dispatch(totalProgram, {
      reads: { sums },
      writes: { total: out(0) },
      uniforms: { count },
      workgroups: [1],
    });
  });
}

/** Writes the sums of some parts from `offset` on; gives their number. */
function addSquares(
  backend: WebGpuBackend,
  parts: readonly Part[],
  { sums, offset }: { readonly sums: tf.TensorInfo; readonly offset: number },
): number {
  let end = 0;
  const uniforms: Record<string, number> = { offset };
  for (const [i, part] of parts.entries()) {
    end += groupsOf(part);
    uniforms[`end${i}`] = end;
    uniforms[`count${i}`] = part.length;
  }
  backend.dispatch(squaresProgram(parts.length), {
    reads: Object.fromEntries(parts.map((part, i) => [`x${i}`, part])),
    writes: { sums },
    uniforms,
    workgroups: spread(end, backend),
  });
  return end;
}

function groupsOf({ length }: Part): number {
  return Math.ceil(length / ELEMENTS_AT_ONCE);
}

function squaresProgram(tensors: number) {
  const numbers = Array.from({ length: tensors }, (_, i) => i);
  const sizes = numbers.flatMap((i) => [`end${i}`, `count${i}`]);
  const uniforms = Object.fromEntries<UniformType>(["offset", ...sizes].map((name) => [name, "u32"]));
  return defineProgram<string, "sums", string>({
    name: `squares of ${tensors}`,
    reads: Object.fromEntries(numbers.map((i) => [`x${i}`, "f32" as const])),
    writes: { sums: "f32" },
    uniforms,
    code: () => squaresCode(tensors),
  });
}

const totalProgram = defineProgram({
  name: "squared norm",
  reads: { sums: "f32" },
  writes: { total: "f32" },
  uniforms: { count: "u32" },
  code: totalCode,
});

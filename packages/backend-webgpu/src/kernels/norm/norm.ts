import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { sumColumns } from "../column-sums/column-sums.js";
import { implement, spread } from "../implement.js";
import {
  layerNormBackwardCode,
  layerNormCode,
  rmsNormBackwardCode,
  rmsNormCode,
  WEIGHT_ROWS,
  weightGradientsCode,
} from "./norm.wgsl.js";

/** BasicRmsNorm, BasicLayerNorm and their backward kernels. */
export function registerNorms(): void {
  implement(rmsNorm, ({ backend, inputs, attrs, size, out, dispatch }) => {
    const { uniforms, workgroups } = overRows(backend, size("x", 0), size("x", 1));
    const { epsilon, addOne } = attrs;
    dispatch(forwardRms, {
      reads: inputs,
      writes: { y: out(0), inverse: out(1) },
      uniforms: { ...uniforms, epsilon, offset: Number(addOne) },
      workgroups,
    });
  });
  implement(rmsNormBackward, ({ backend, inputs, attrs, size, out, scratch, dispatch }) => {
    const { uniforms, workgroups } = overRows(backend, size("x", 0), size("x", 1));
    const offset = Number(attrs.addOne);
    const dx = { reads: inputs, writes: { dx: out(0) }, uniforms: { ...uniforms, offset }, workgroups };
    dispatch(backwardRms, dx);
    if (attrs.needsWeight) weightGradients(backend, { inputs, results: [out(1)], scratch });
  });
  implement(layerNorm, ({ backend, inputs, attrs, size, out, dispatch }) => {
    const { uniforms, workgroups } = overRows(backend, size("x", 0), size("x", 1));
    dispatch(forwardLayer, {
      reads: inputs,
      writes: { y: out(0), mean: out(1), inverse: out(2) },
      uniforms: { ...uniforms, epsilon: attrs.epsilon },
      workgroups,
    });
  });
  implement(layerNormBackward, ({ backend, inputs, attrs, size, out, scratch, dispatch }) => {
    const run = overRows(backend, size("x", 0), size("x", 1));
    dispatch(backwardLayer, { reads: inputs, writes: { dx: out(0) }, ...run });
    if (attrs.needsWeight) weightGradients(backend, { inputs, results: [out(1), out(2)], scratch });
  });
}

const sizes = { rows: "u32", width: "u32" } as const;

const forwardRms = defineProgram({
  name: "rms norm",
  reads: { x: "f32", weight: "f32" },
  writes: { y: "f32", inverse: "f32" },
  uniforms: { ...sizes, epsilon: "f32", offset: "f32" },
  code: rmsNormCode,
});

const backwardRms = defineProgram({
  name: "rms norm backward",
  reads: { dy: "f32", x: "f32", weight: "f32", inverse: "f32" },
  writes: { dx: "f32" },
  uniforms: { ...sizes, offset: "f32" },
  code: rmsNormBackwardCode,
});

const forwardLayer = defineProgram({
  name: "layer norm",
  reads: { x: "f32", weight: "f32", bias: "f32" },
  writes: { y: "f32", mean: "f32", inverse: "f32" },
  uniforms: { ...sizes, epsilon: "f32" },
  code: layerNormCode,
});

const backwardLayer = defineProgram({
  name: "layer norm backward",
  reads: { dy: "f32", x: "f32", weight: "f32", mean: "f32", inverse: "f32" },
  writes: { dx: "f32" },
  uniforms: sizes,
  code: layerNormBackwardCode,
});

const rmsWeights = defineProgram({
  name: "rms norm backward, weight",
  reads: { dy: "f32", x: "f32", inverse: "f32" },
  writes: { dweight: "f32" },
  uniforms: sizes,
  code: weightGradientsCode(false),
});

const layerWeights = defineProgram({
  name: "layer norm backward, weight and bias",
  reads: { dy: "f32", x: "f32", mean: "f32", inverse: "f32" },
  writes: { dweight: "f32", dbias: "f32" },
  uniforms: sizes,
  code: weightGradientsCode(true),
});

function overRows(backend: WebGpuBackend, rows: number, width: number) {
  return { uniforms: { rows, width }, workgroups: spread(rows, backend) };
}

interface WeightCall {
  readonly inputs: Readonly<Record<"dy" | "x" | "inverse", tf.TensorInfo>> & {
    readonly mean?: tf.TensorInfo;
  };
  /** dweight, and dbias where there is a mean. */
  readonly results: readonly tf.TensorInfo[];
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/** Sums over the rows: over {@link WEIGHT_ROWS} of them at once, then over those sums. */
function weightGradients(backend: WebGpuBackend, { inputs, results, scratch }: WeightCall): void {
  const { dy, x, inverse, mean } = inputs;
  const [rows, width] = x.shape as [number, number];
  const parts = Math.max(1, Math.ceil(rows / WEIGHT_ROWS));
  const sums = results.map((result) => (parts === 1 ? result : scratch([parts, width])));
  const [dweight, dbias] = sums as [tf.TensorInfo, tf.TensorInfo];
  const run = { uniforms: { rows, width }, workgroups: [Math.ceil(width / 64), parts] } as const;
  if (mean === undefined)
    backend.dispatch(rmsWeights, { reads: { dy, x, inverse }, writes: { dweight }, ...run });
  else
    backend.dispatch(layerWeights, { reads: { dy, x, mean, inverse }, writes: { dweight, dbias }, ...run });
  if (parts === 1) return;
  for (const [i, result] of results.entries()) {
    sumColumns(backend, { x: sums[i] as tf.TensorInfo, rows: parts, columns: width, result, scratch });
  }
}

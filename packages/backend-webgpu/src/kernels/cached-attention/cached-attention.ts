import { type CachedAttentionAttrs, cachedAttention } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { attend } from "../attention/attention.js";
import type { SampleRows } from "../attention/layout.js";
import { overElements } from "../elementwise.js";
import { implementKernelWithBuffers } from "./buffers.js";
import { writeRowsCode } from "./cached-attention.wgsl.js";

// BasicCachedAttention on WebGPU.
// v1  new rows are copied to the buffers, then attention's kernel reads those; workgroups share the keys of a decoded row

const writeRows = defineProgram({
  name: "cached attention, new rows",
  reads: { k: "f32", v: "f32", targets: "i32" },
  writes: { keys: "f32", values: "f32" },
  uniforms: { count: "u32", width: "u32" },
  code: writeRowsCode,
});

/** BasicCachedAttention. */
export function registerCachedAttention(): void {
  implementKernelWithBuffers(cachedAttention, ({ backend, inputs, attrs, buffers, y, scratch }) => {
    const { q, k, v } = inputs;
    attendCached(backend, { q, k, v, ...buffers, y, scratch }, attrs);
  });
}

/** Operands of {@link attendCached}. */
export interface AttendCached {
  readonly q: tf.TensorInfo;
  readonly k: tf.TensorInfo;
  readonly v: tf.TensorInfo;
  /** Written in place. */
  readonly keys: tf.TensorInfo;
  readonly values: tf.TensorInfo;
  readonly y: tf.TensorInfo;
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/** Adds the new rows to the buffers, and attention over these to the commands: see core's `cachedAttention`. */
export function attendCached(
  backend: WebGpuBackend,
  { q, k, v, keys, values, y, scratch }: AttendCached,
  attrs: CachedAttentionAttrs,
): void {
  const samples = cachedSamples(attrs, keys.shape[1] as number);
  const { uniforms, workgroups } = overElements(k, backend);
  backend.dispatch(writeRows, {
    reads: { k, v, targets: targetsOf(samples) },
    writes: { keys, values },
    uniforms: { ...uniforms, width: k.shape[1] as number },
    workgroups,
  });
  const logSumExp = scratch([q.shape[0] as number, attrs.heads]);
  attend(backend, {
    ...{ q, k: keys, v: values, y, logSumExp, scratch },
    samples,
    attrs: { ...attrs, causal: true },
  });
}

/** Samples whose keys lie in buffers with `room` rows for each. */
function cachedSamples({ offsets, starts }: CachedAttentionAttrs, room: number): readonly SampleRows[] {
  return Array.from(starts, (start, s) => {
    const qStart = offsets[s] as number;
    const queries = (offsets[s + 1] as number) - qStart;
    return { qStart, queries, kStart: s * room, keys: start + queries };
  });
}

/** The row of the buffers that each new row goes to. */
function targetsOf(samples: readonly SampleRows[]): Int32Array {
  return Int32Array.from(
    samples.flatMap(({ queries, kStart, keys }) =>
      Array.from({ length: queries }, (_, row) => kStart + keys - queries + row),
    ),
  );
}

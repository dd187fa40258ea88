// New rows are copied to the buffers, then attention's kernel reads those; blocks share the keys of a decoded row.

import { type CachedAttentionAttrs, cachedAttention } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { attend } from "../attention/attention.js";
import type { SampleRows } from "../attention/layout.js";
import { ELEMENTWISE, overElements } from "../elementwise.js";
import { implementKernelWithBuffers } from "./buffers.js";
import source from "./cached-attention.cu";

const writeRows = defineProgram({
  name: "cached attention, new rows",
  source,
  entry: "write_rows",
  params: {
    ...({ k: "pointer", v: "pointer", targets: "pointer", keys: "pointer", values: "pointer" } as const),
    ...({ count: "i64", width: "i32" } as const),
  },
  block: ELEMENTWISE.threads,
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

/** Queues the new rows into the buffers, and attention over these: see core's `cachedAttention`. */
export function attendCached(
  backend: CudaBackend,
  { q, k, v, keys, values, y, scratch }: AttendCached,
  attrs: CachedAttentionAttrs,
): void {
  const samples = cachedSamples(attrs, keys.shape[1] as number);
  const [rows, width] = k.shape as [number, number];
  const count = rows * width;
  backend.dispatch(writeRows, {
    grid: overElements(count),
    args: { k, v, targets: targetsOf(samples), keys, values, count, width },
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

/** Every program of this folder. */
export const cachedAttentionPrograms = [writeRows];

// New rows are copied to the buffers, then attention's kernel reads those; blocks share the keys of a decoded row.

import { type CachedAttentionAttrs, cachedAttention } from "@basic-mllm/core";
import { bufferRows, type CachedRows, cachedSamples } from "@basic-mllm/core/device";

import type { CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { attend } from "../attention/attention.js";
import { ELEMENTWISE, overElements } from "../elementwise.js";
import { implementWithCache } from "../implement.js";
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
  work: ({ count }) => ({ bytes: 16 * count, flops: 0 }),
});

/** BasicCachedAttention. */
export function registerCachedAttention(): void {
  implementWithCache(cachedAttention, ({ backend, inputs, attrs, buffers, y, scratch }) => {
    const { q, k, v } = inputs;
    attendCached(backend, { q, k, v, ...buffers, y, scratch }, attrs);
  });
}

/** Queues the new rows into the buffers, and attention over these: see core's `cachedAttention`. */
export function attendCached(
  backend: CudaBackend,
  { q, k, v, keys, values, y, scratch }: CachedRows & { readonly scratch: CudaBackend["allocate"] },
  attrs: CachedAttentionAttrs,
): void {
  const samples = cachedSamples(attrs, keys.shape[1] as number);
  const [rows, width] = k.shape as [number, number];
  const count = rows * width;
  backend.dispatch(writeRows, {
    grid: overElements(count),
    args: { k, v, targets: bufferRows(samples), keys, values, count, width },
  });
  const logSumExp = scratch([q.shape[0] as number, attrs.heads]);
  attend(backend, {
    ...{ q, k: keys, v: values, y, logSumExp, scratch },
    samples,
    attrs: { ...attrs, causal: true },
  });
}

/** Every program of this folder. */
export const cachedAttentionPrograms = [writeRows];

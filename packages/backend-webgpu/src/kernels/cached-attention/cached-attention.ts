import { type CachedAttentionAttrs, cachedAttention } from "@basic-mllm/core";
import { bufferRows, type CachedRows, cachedSamples } from "@basic-mllm/core/device";

import type { WebGpuBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { attend } from "../attention/attention.js";
import { overElements } from "../elementwise.js";
import { implementWithCache } from "../implement.js";
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
  implementWithCache(cachedAttention, ({ backend, inputs, attrs, buffers, y, scratch }) => {
    const { q, k, v } = inputs;
    attendCached(backend, { q, k, v, ...buffers, y, scratch }, attrs);
  });
}

/** Adds the new rows to the buffers, and attention over these to the commands: see core's `cachedAttention`. */
export function attendCached(
  backend: WebGpuBackend,
  { q, k, v, keys, values, y, scratch }: CachedRows & { readonly scratch: WebGpuBackend["allocate"] },
  attrs: CachedAttentionAttrs,
): void {
  const samples = cachedSamples(attrs, keys.shape[1] as number);
  const { uniforms, workgroups } = overElements(k, backend);
  backend.dispatch(writeRows, {
    reads: { k, v, targets: bufferRows(samples) },
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

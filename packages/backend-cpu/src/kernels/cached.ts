import {
  type CachedAttentionAttrs,
  type CachedAttentionInput,
  cachedAttention,
  type DecoderBlockAttrs,
  type DecoderBlockInput,
  type DecoderBlockMatrix,
  decoderBlock,
  implementKernel,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CpuBackend } from "../backend.js";
import type { BlockWeights, CachedLayout } from "./bindings.js";
import { asOutput, toWrite } from "./updates.js";

/** BasicCachedAttention and BasicDecoderBlock, which write into the buffers of keys and values. */
export function registerCached(): void {
  implementKernel<CachedAttentionInput, CachedAttentionAttrs, CpuBackend>({
    contract: cachedAttention,
    backend: BACKEND_NAME,
    run: ({ inputs, attrs, backend }) =>
      backend.orRelease(() => {
        const { q, k, v } = inputs;
        const [keys, values] = [toWrite(backend, inputs.keys), toWrite(backend, inputs.values)];
        const y = backend.allocate(q.shape);
        const layout = layoutOf(attrs, inputs.keys, (q.shape[1] as number) / attrs.heads);
        const [queries, newKeys, newValues] = [q, k, v].map((tensor) => backend.floats(tensor)) as [
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        const buffers = [backend.floats(keys), backend.floats(values)] as const;
        backend.native.cachedAttention(queries, newKeys, newValues, layout, ...buffers, y.values);
        return [y, asOutput(backend, inputs.keys, keys), asOutput(backend, inputs.values, values)];
      }),
  });
  implementKernel<DecoderBlockInput, DecoderBlockAttrs, CpuBackend>({
    contract: decoderBlock,
    backend: BACKEND_NAME,
    run: ({ inputs, attrs, backend }) =>
      backend.orRelease(() => {
        const [keys, values] = [toWrite(backend, inputs.keys), toWrite(backend, inputs.values)];
        const y = backend.allocate(inputs.x.shape);
        const layout = layoutOf(attrs, inputs.keys, attrs.headWidth);
        const buffers = [backend.floats(keys), backend.floats(values)] as const;
        const weights = weightsOf(inputs, attrs, backend);
        backend.native.decoderBlock(backend.floats(inputs.x), weights, layout, attrs, ...buffers, y.values);
        return [y, asOutput(backend, inputs.keys, keys), asOutput(backend, inputs.values, values)];
      }),
  });
}

function layoutOf(
  attrs: Omit<CachedLayout, "room" | "keyHeads" | "headWidth"> & { readonly kvHeads: number },
  buffer: tf.TensorInfo,
  headWidth: number,
): CachedLayout {
  const { offsets, starts, heads, kvHeads: keyHeads, scale, window, softcap } = attrs;
  return {
    offsets,
    starts,
    room: buffer.shape[1] as number,
    heads,
    keyHeads,
    headWidth,
    scale,
    window,
    softcap,
  };
}

function weightsOf(
  inputs: Readonly<Record<DecoderBlockInput, tf.TensorInfo>>,
  attrs: DecoderBlockAttrs,
  backend: CpuBackend,
): BlockWeights {
  const values = (matrix: DecoderBlockMatrix) =>
    attrs[`${matrix}Storage`] === "f32" ? backend.floats(inputs[matrix]) : backend.integers(inputs[matrix]);
  const { queryStorage, keyStorage, valueStorage, outputStorage, gateStorage, upStorage, downStorage } =
    attrs;
  return {
    attentionNorm: backend.floats(inputs.attentionNorm),
    mlpNorm: backend.floats(inputs.mlpNorm),
    query: values("query"),
    key: values("key"),
    value: values("value"),
    output: values("output"),
    gate: values("gate"),
    up: values("up"),
    down: values("down"),
    ...{ queryStorage, keyStorage, valueStorage, outputStorage, gateStorage, upStorage, downStorage },
  };
}

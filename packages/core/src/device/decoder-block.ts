import {
  type CachedAttentionAttrs,
  type DecoderBlockAttrs,
  type DecoderBlockInput,
  type DecoderBlockMatrix,
  decoderBlock,
  findKernel,
  gatedActivation,
  type KernelContract,
  type RotaryAttrs,
  rmsNorm,
  type Storage,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { CacheCall, DeviceBackend, DeviceKernels } from "./kernels.js";

/** `result [rows, columns]` = `left [rows, depth]` times a frozen matrix `[columns, depth]`. */
export interface FrozenProduct {
  readonly left: tf.TensorInfo;
  readonly weight: tf.TensorInfo;
  readonly storage: Storage;
  readonly result: tf.TensorInfo;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  /** Adds to `result` instead of writing it. */
  readonly accumulate: boolean;
}

/** Tensors of an attention over the buffers of keys and values; `q`, `k` and `v` are the new rows. */
export type CachedRows = Readonly<Record<"q" | "k" | "v" | "keys" | "values" | "y", tf.TensorInfo>>;

/** Kernels of a backend that a decoder block is made of, beside those that it has registered. */
export interface DecoderBlockParts<Backend extends DeviceBackend> {
  readonly multiply: (backend: Backend, product: FrozenProduct) => void;
  readonly rotate: (backend: Backend, x: tf.TensorInfo, y: tf.TensorInfo, attrs: RotaryAttrs) => void;
  readonly attend: (
    backend: Backend,
    rows: CachedRows & { readonly scratch: Backend["allocate"] },
    attrs: CachedAttentionAttrs,
  ) => void;
}

type Block<Backend extends DeviceBackend> = CacheCall<
  Backend,
  Exclude<DecoderBlockInput, "keys" | "values">,
  DecoderBlockAttrs
>;

/**
 * Registers core's `decoderBlock` as the other kernels one after the other, without tfjs in between; the products add the
 * residuals.
 */
export function implementDecoderBlock<Backend extends DeviceBackend>(
  { implementWithCache }: Pick<DeviceKernels<Backend>, "implementWithCache">,
  name: string,
  parts: DecoderBlockParts<Backend>,
): void {
  implementWithCache<Exclude<DecoderBlockInput, "keys" | "values">, DecoderBlockAttrs>(
    decoderBlock,
    (call) => {
      const { backend, inputs, attrs, y } = call;
      if (y.shape[0] === 0) return;
      backend.copy(inputs.x, y);
      const products = productsOf(call, parts);
      const norm = { epsilon: attrs.epsilon, addOne: attrs.addOne };
      const normed = <T>(x: tf.TensorInfo, weight: tf.TensorInfo, use: (rows: tf.TensorInfo) => T) =>
        withBody(backend, name, rmsNorm, { inputs: { x, weight }, attrs: norm }, use);
      const heads = normed(inputs.x, inputs.attentionNorm, (rows) => headsOf(call, parts, products, rows));
      products.add(attended(call, parts, heads), "output");
      const halves = normed(y, inputs.mlpNorm, (rows) => ({
        gate: products.of(rows, "gate", attrs.inner),
        up: products.of(rows, "up", attrs.inner),
      }));
      const gating = { inputs: halves, attrs: { kind: attrs.activation } };
      withBody(backend, name, gatedActivation, gating, (mixed) => products.add(mixed, "down"));
    },
  );
}

interface Products {
  /** `rows` times a matrix, `[R, columns]`. */
  readonly of: (rows: tf.TensorInfo, matrix: DecoderBlockMatrix, columns: number) => tf.TensorInfo;
  /** Adds `rows` times a matrix to the output. */
  readonly add: (rows: tf.TensorInfo, matrix: DecoderBlockMatrix) => void;
}

function productsOf<Backend extends DeviceBackend>(
  { backend, inputs, attrs, y, scratch }: Block<Backend>,
  { multiply }: DecoderBlockParts<Backend>,
): Products {
  const into = (left: tf.TensorInfo, matrix: DecoderBlockMatrix, result: tf.TensorInfo) => {
    const [rows, depth] = left.shape as [number, number];
    const operands = { left, weight: inputs[matrix], storage: attrs[`${matrix}Storage`], result };
    const columns = result.shape[1] as number;
    multiply(backend, { ...operands, rows, columns, depth, accumulate: result === y });
  };
  return {
    of: (rows, matrix, columns) => {
      const result = scratch([rows.shape[0] as number, columns]);
      into(rows, matrix, result);
      return result;
    },
    add: (rows, matrix) => into(rows, matrix, y),
  };
}

/** Queries, keys and values of normed rows; the first two turned by their positions. */
function headsOf<Backend extends DeviceBackend>(
  { backend, attrs, scratch }: Block<Backend>,
  { rotate }: DecoderBlockParts<Backend>,
  products: Products,
  rows: tf.TensorInfo,
): Readonly<Record<"q" | "k" | "v", tf.TensorInfo>> {
  const { heads, kvHeads, headWidth, positions, frequencies, rotaryScale: scale } = attrs;
  const turns = { rotaryWidth: 2 * frequencies.length, positions, frequencies, scale, inverse: false };
  const turned = (matrix: "query" | "key", count: number) => {
    const flat = products.of(rows, matrix, count * headWidth);
    const result = scratch(flat.shape);
    rotate(backend, flat, result, { ...turns, heads: count });
    return result;
  };
  return {
    q: turned("query", heads),
    k: turned("key", kvHeads),
    v: products.of(rows, "value", kvHeads * headWidth),
  };
}

function attended<Backend extends DeviceBackend>(
  { backend, attrs, buffers, scratch }: Block<Backend>,
  { attend }: DecoderBlockParts<Backend>,
  heads: Readonly<Record<"q" | "k" | "v", tf.TensorInfo>>,
): tf.TensorInfo {
  const y = scratch(heads.q.shape);
  attend(backend, { ...heads, ...buffers, y, scratch }, attrs);
  return y;
}

/** The first output of another contract's body, for the time of `use`. */
function withBody<Backend extends DeviceBackend, Name extends string, Attrs extends tf.NamedAttrMap, T>(
  backend: Backend,
  name: string,
  contract: Pick<KernelContract<Name>, "name">,
  call: { readonly inputs: Record<Name, tf.TensorInfo>; readonly attrs: Attrs },
  use: (output: tf.TensorInfo) => T,
): T {
  // A body of this backend: registered with this one.
  const { kernelFunc } = findKernel(contract.name, name) as tf.KernelConfig;
  const outputs = [kernelFunc({ ...call, backend })].flat();
  try {
    return use(outputs[0] as tf.TensorInfo);
  } finally {
    for (const { dataId } of outputs) backend.disposeData(dataId, true);
  }
}

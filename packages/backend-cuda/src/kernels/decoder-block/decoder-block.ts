// The other kernels one after the other, without tfjs in between; residuals are added by the products.

import {
  type DecoderBlockAttrs,
  type DecoderBlockInput,
  type DecoderBlockMatrix,
  decoderBlock,
  findKernel,
  gatedActivation,
  type KernelContract,
  rmsNorm,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CudaBackend } from "../../backend.js";
import { type BufferCall, implementKernelWithBuffers } from "../cached-attention/buffers.js";
import { attendCached } from "../cached-attention/cached-attention.js";
import { multiplyFrozen } from "../linear/product.js";
import { rotate } from "../rotary/rotary.js";

/** BasicDecoderBlock. */
export function registerDecoderBlock(): void {
  implementKernelWithBuffers(decoderBlock, (call) => {
    const { backend, inputs, attrs, y } = call;
    const rows = y.shape[0] as number;
    if (rows === 0) return;
    backend.copy(inputs.x, y);
    addAttention(call);
    const halves = withNorm(call, y, "mlpNorm", (normed) => ({
      gate: product(call, normed, "gate", attrs.inner),
      up: product(call, normed, "up", attrs.inner),
    }));
    withBody(backend, gatedActivation, { inputs: halves, attrs: { kind: attrs.activation } }, (mixed) =>
      addProduct(call, mixed, "down"),
    );
  });
}

type Block = BufferCall<DecoderBlockInput, DecoderBlockAttrs>;

function addAttention(call: Block): void {
  const { backend, attrs, inputs, buffers, scratch } = call;
  const { heads, kvHeads, headWidth, positions, frequencies } = attrs;
  const turns = { rotaryWidth: 2 * frequencies.length, positions, frequencies, scale: attrs.rotaryScale };
  const turned = (rows: tf.TensorInfo, count: number) => {
    const result = scratch(rows.shape);
    rotate(backend, rows, result, { ...turns, heads: count, inverse: false });
    return result;
  };
  const { q, k, v } = withNorm(call, inputs.x, "attentionNorm", (normed) => ({
    q: turned(product(call, normed, "query", heads * headWidth), heads),
    k: turned(product(call, normed, "key", kvHeads * headWidth), kvHeads),
    v: product(call, normed, "value", kvHeads * headWidth),
  }));
  const y = scratch(q.shape);
  attendCached(backend, { q, k, v, ...buffers, y, scratch }, attrs);
  addProduct(call, y, "output");
}

function withNorm<T>(
  { backend, inputs, attrs: { epsilon, addOne } }: Block,
  x: tf.TensorInfo,
  weight: "attentionNorm" | "mlpNorm",
  use: (normed: tf.TensorInfo) => T,
): T {
  const call = { inputs: { x, weight: inputs[weight] }, attrs: { epsilon, addOne } };
  return withBody(backend, rmsNorm, call, use);
}

/** `rows` times a matrix, `[R, columns]`. */
function product(
  { backend, inputs, attrs, scratch }: Block,
  rows: tf.TensorInfo,
  matrix: DecoderBlockMatrix,
  columns: number,
): tf.TensorInfo {
  const [count, depth] = rows.shape as [number, number];
  const result = scratch([count, columns]);
  const operands = { left: rows, weight: inputs[matrix], result, rows: count, columns, depth };
  multiplyFrozen(backend, { layout: "nt", storage: attrs[`${matrix}Storage`] }, operands);
  return result;
}

/** Adds `rows` times a matrix to the output. */
function addProduct(
  { backend, inputs, attrs, y }: Block,
  rows: tf.TensorInfo,
  matrix: DecoderBlockMatrix,
): void {
  const [count, depth] = rows.shape as [number, number];
  const sizes = { rows: count, columns: y.shape[1] as number, depth };
  const what = { layout: "nt", storage: attrs[`${matrix}Storage`], accumulate: true } as const;
  multiplyFrozen(backend, what, { left: rows, weight: inputs[matrix], result: y, ...sizes });
}

/** The first output of another contract's body, for the time of `use`. */
function withBody<Name extends string, Attrs extends tf.NamedAttrMap, T>(
  backend: CudaBackend,
  contract: Pick<KernelContract<Name>, "name">,
  call: { readonly inputs: Record<Name, tf.TensorInfo>; readonly attrs: Attrs },
  use: (output: tf.TensorInfo) => T,
): T {
  // A body of this backend: registered with this one.
  const { kernelFunc } = findKernel(contract.name, BACKEND_NAME) as tf.KernelConfig;
  const outputs = [kernelFunc({ ...call, backend })].flat();
  try {
    return use(outputs[0] as tf.TensorInfo);
  } finally {
    for (const { dataId } of outputs) backend.disposeData(dataId, true);
  }
}

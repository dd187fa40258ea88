import { BasicError, formatShape } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { multiply, type Product } from "../kernels/matmul/matmul.js";
import { storageOf } from "../memory/storage.js";
import { copyStrided } from "./movement/copy.js";
import { swapLast } from "./movement/transpose.js";
import { type Call, type Operations, operation, unsupported } from "./operation.js";
import { broadcastStrides, rowMajorStrides, sizeOf } from "./shapes.js";

interface Attrs {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** A factor: `shape` is that of its values, `rows` and `columns` are after the transposition. */
interface Matrices {
  readonly tensor: tf.TensorInfo;
  readonly lead: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly transposed: boolean;
}

function matricesOf(name: string, tensor: tf.TensorInfo, transposed: boolean): Matrices {
  const [first, second] = tensor.shape.slice(-2);
  if (first === undefined || second === undefined) throw notMatrices(name, tensor.shape);
  const [rows, columns] = transposed ? [second, first] : [first, second];
  return { tensor, lead: tensor.shape.slice(0, -2), rows, columns, transposed };
}

function notMatrices(name: string, shape: readonly number[]): BasicError {
  return new BasicError(
    "E_SHAPE",
    `${name}: ${formatShape(shape)} is no matrix. Reshape a vector to one row or one column.`,
  );
}

/**
 * BatchMatMul of `[..., m, k]` and `[..., k, n]`, whose leading sizes broadcast.
 *
 * In bfloat16 where a factor is kept in it. Rows of activations stay in it; sums over rows, which a transposed left factor makes, are
 * gradients of weights, in float32.
 */
const batchMatMul = operation<"a" | "b", Attrs>((call) => {
  const { name, inputs, attrs, backend, allocate } = call;
  checkFloats(name, inputs);
  const a = matricesOf(name, inputs.a, attrs.transposeA);
  const b = matricesOf(name, inputs.b, attrs.transposeB);
  checkDepth(name, a, b);
  const lead = tf.broadcast_util.assertAndGetBroadcastShape([...a.lead], [...b.lead]);
  const sizes = { rows: a.rows, columns: b.columns, depth: a.columns };
  const kept = a.transposed ? "f32" : storageOf(inputs.a);
  const result = allocate([...lead, sizes.rows, sizes.columns], "float32", kept);
  const batch = sizeOf(lead);
  // One matrix on the right multiplies all rows at once.
  if (sizeOf(b.lead) === 1 && !a.transposed) {
    const operands = { left: inputs.a, weight: inputs.b, result, ...sizes, rows: batch * sizes.rows };
    multiply(backend, { layout: b.transposed ? "nt" : "nn" }, operands);
    return result;
  }
  const weight = repeated(call, b, lead);
  const left = a.transposed && b.transposed ? upright(call, a, lead) : repeated(call, a, lead);
  multiply(backend, { layout: layoutOf(attrs) }, { left, weight, result, ...sizes, batch });
  return result;
});

function layoutOf({ transposeA, transposeB }: Attrs): Product["layout"] {
  if (transposeB) return "nt";
  return transposeA ? "tn" : "nn";
}

/** The matrices of a factor for every batch: a copy where the batches share some. */
function repeated(
  { backend, scratch }: Call<"a" | "b", Attrs>,
  { tensor: x, lead }: Matrices,
  wanted: readonly number[],
): tf.TensorInfo {
  if (sizeOf(lead) === sizeOf(wanted)) return x;
  const sizes = [...wanted, ...x.shape.slice(-2)];
  const y = scratch(sizes, "float32", storageOf(x));
  const xStrides = broadcastStrides(x.shape, sizes.length);
  copyStrided(backend, { x, y, sizes, xStrides, yStrides: rowMajorStrides(sizes) });
  return y;
}

/** A transposed factor turned back: no product has both factors transposed. */
function upright(call: Call<"a" | "b", Attrs>, factor: Matrices, wanted: readonly number[]): tf.TensorInfo {
  const { rows, columns } = factor;
  const x = repeated(call, factor, wanted);
  const y = call.scratch([...wanted, rows, columns], "float32", storageOf(x));
  swapLast(call.backend, { x, y, batches: sizeOf(wanted), rows: columns, columns: rows });
  return y;
}

function checkFloats(name: string, { a, b }: Readonly<Record<"a" | "b", tf.TensorInfo>>): void {
  if (a.dtype === "float32" && b.dtype === "float32") return;
  throw unsupported(name, `${a.dtype} by ${b.dtype}`, "Cast both to float32");
}

function checkDepth(name: string, a: Matrices, b: Matrices): void {
  if (a.columns === b.rows) return;
  throw new BasicError(
    "E_SHAPE",
    `${name}: [${a.tensor.shape.join(", ")}]${a.transposed ? " transposed" : ""} by [${b.tensor.shape.join(", ")}]` +
      `${b.transposed ? " transposed" : ""}: the left one has ${a.columns} columns, the right one ${b.rows} rows.`,
  );
}

/** Matrix products. */
export const products: Operations = { BatchMatMul: batchMatMul };

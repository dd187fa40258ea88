import type * as tf from "@tensorflow/tfjs-core";
import type { Pointer } from "../../arguments.js";

import type { CudaBackend } from "../../backend.js";
import { sizeOf } from "../elementwise.js";

/** Elements of a block: CHUNK of tensors.cuh. */
const CHUNK = 4096;

/** Bytes of a `Tensor` of tensors.cuh. */
const ROW_BYTES = 56;

/** Where its number of elements is. */
const COUNT_AT = 32;

/** Tensors that one launch takes element by element, with what it needs to know about them. */
export interface TableRow {
  /** Up to four, of which the first has the size that counts. */
  readonly tensors: readonly tf.TensorInfo[];
  readonly rate?: number;
  readonly decay?: number;
}

/** A table for a launch over all elements of many tensors. */
export interface TensorTable {
  readonly table: Uint32Array;
  /** Number of rows. */
  readonly tensors: number;
  /** Blocks of the launch. */
  readonly blocks: number;
}

/**
 * Elements that a table goes through.
 *
 * @throws TypeError for what is no table.
 */
export function elementsOf(table: Pointer): number {
  if (!(table instanceof Uint32Array)) throw new TypeError("A table of tensors is made by tensorTable().");
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  let elements = 0;
  for (let row = 0; row < table.byteLength; row += ROW_BYTES) {
    elements += Number(view.getBigInt64(row + COUNT_AT, true));
  }
  return elements;
}

/** The table of tensors.cuh; those without elements are left out. */
export function tensorTable(backend: CudaBackend, rows: readonly TableRow[]): TensorTable {
  const filled = rows.filter(({ tensors: [first] }) => first !== undefined && sizeOf(first) > 0);
  const view = new DataView(new ArrayBuffer(filled.length * ROW_BYTES));
  let end = 0;
  for (const [i, { tensors, rate = 0, decay = 0 }] of filled.entries()) {
    const start = i * ROW_BYTES;
    const count = sizeOf(tensors[0] as tf.TensorInfo);
    end += Math.ceil(count / CHUNK);
    for (const [j, tensor] of tensors.entries()) {
      view.setBigUint64(start + 8 * j, BigInt(backend.addressOf(tensor)), true);
    }
    view.setBigInt64(start + COUNT_AT, BigInt(count), true);
    view.setFloat32(start + 40, rate, true);
    view.setFloat32(start + 44, decay, true);
    view.setInt32(start + 48, end, true);
  }
  return { table: new Uint32Array(view.buffer), tensors: filled.length, blocks: end };
}

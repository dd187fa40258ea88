import { attention, attentionReceived, runKernel, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { GoldenCase } from "./golden-case.js";

interface AttentionOptions {
  readonly causal: boolean;
  readonly window?: number;
  readonly softcap?: number;
  readonly scale?: number;
}

/** Rows of a padded batch that are not padding: `rows[i]` is the padded row (sample · length + position) of packed row i. */
interface Packing {
  readonly rows: readonly number[];
  readonly offsets: Int32Array;
  /** Padded rows of a sample. */
  readonly length: number;
}

/** Packed attention: padding is dropped before and put back as zeros after. */
export async function checkAttention(golden: GoldenCase): Promise<void> {
  golden.allowFields("options");
  const options = golden.options<AttentionOptions>("options", ["causal", "window", "softcap", "scale"]);
  const [, H, T, d] = golden.shape("in.q") as [number, number, number, number];
  const [B, kvHeads, S] = golden.shape("in.k") as [number, number, number];
  const valid = golden.integers("in.key_mask");
  const keys = packing(B, S, (b, s) => valid[b * S + s] === 1);
  const queries = packing(B, T, (b, t) => valid[b * S + S - T + t] === 1);
  const leaves = {
    q: packedTensor(golden, "in.q", queries),
    k: packedTensor(golden, "in.k", keys),
    v: packedTensor(golden, "in.v", keys),
  };
  const attrs = {
    qOffsets: queries.offsets,
    kvOffsets: keys.offsets,
    heads: H,
    kvHeads,
    scale: options.scale ?? 1 / Math.sqrt(d),
    causal: options.causal,
    window: options.window ?? 0,
    softcap: options.softcap ?? 0,
  };
  const counts = textRows(golden, queries);
  const observed = runKernel(attentionReceived, leaves, { ...attrs, ...receivers(counts, queries, keys) });
  const [y, , received] = observed as [tf.Tensor, tf.Tensor, tf.Tensor];
  golden.compare("out.y", unpacked(golden, "out.y", queries, await y.data()));
  compareColumnMeans(golden, { keys, counts, queries }, await received.data());
  const cotangent = packedTensor(golden, "ct.y", queries);
  const { gradients } = valueAndGradients(
    () => tf.sum(tf.mul(runKernel(attention, leaves, attrs)[0] as tf.Tensor, cotangent)) as tf.Scalar,
    Object.values(leaves),
  );
  for (const [i, [name, pack]] of Object.entries({ q: queries, k: keys, v: keys }).entries()) {
    const values = await (gradients[i] as tf.Tensor).data();
    golden.compare(`grad.${name}`, unpacked(golden, `grad.${name}`, pack, values));
  }
}

function packing(B: number, length: number, keep: (b: number, position: number) => boolean): Packing {
  const rows: number[] = [];
  const offsets = new Int32Array(B + 1);
  for (let b = 0; b < B; b++) {
    for (let position = 0; position < length; position++) {
      if (keep(b, position)) rows.push(b * length + position);
    }
    offsets[b + 1] = rows.length;
  }
  return { rows, offsets, length };
}

/** Place of value `c` of head `h` in a padded `[B, heads, length, d]`. */
function place(shape: readonly number[], row: number, head: number): number {
  const [, heads, length, d] = shape as [number, number, number, number];
  const sample = Math.floor(row / length);
  return ((sample * heads + head) * length + (row % length)) * d;
}

function packedTensor(golden: GoldenCase, name: string, { rows }: Packing): tf.Tensor2D {
  const shape = golden.shape(name);
  const [, heads, , d] = shape as [number, number, number, number];
  const padded = golden.floats(name);
  const values = new Float32Array(rows.length * heads * d);
  for (const [i, row] of rows.entries()) {
    for (let head = 0; head < heads; head++) {
      const from = place(shape, row, head);
      values.set(padded.subarray(from, from + d), (i * heads + head) * d);
    }
  }
  return tf.tensor2d(values, [rows.length, heads * d]);
}

function unpacked(
  golden: GoldenCase,
  name: string,
  { rows }: Packing,
  values: ArrayLike<number>,
): Float32Array {
  const shape = golden.shape(name);
  const [, heads, , d] = shape as [number, number, number, number];
  const padded = new Float32Array(shape.reduce((size, dimension) => size * dimension, 1));
  for (const [i, row] of rows.entries()) {
    for (let head = 0; head < heads; head++) {
      const to = place(shape, row, head);
      for (let c = 0; c < d; c++) padded[to + c] = values[(i * heads + head) * d + c] as number;
    }
  }
  return padded;
}

/** `[Rq]`: 1 where the packed query row is text. */
function textRows(golden: GoldenCase, { rows }: Packing): Int32Array {
  const text = golden.integers("in.text_rows");
  return Int32Array.from(rows, (row) => text[row] as number);
}

/** Every text row of the sample counts for each of its keys. */
function receivers(
  countsAsText: Int32Array,
  queries: Packing,
  keys: Packing,
): { countsAsText: Int32Array; receiveFrom: Int32Array } {
  const receiveFrom = Int32Array.from(
    keys.rows,
    (row) => queries.offsets[Math.floor(row / keys.length)] as number,
  );
  return { countsAsText, receiveFrom };
}

/** `received / (H · count)` against the mean over heads of `column_mean`, padded columns aside. */
function compareColumnMeans(
  golden: GoldenCase,
  packed: { keys: Packing; queries: Packing; counts: Int32Array },
  received: ArrayLike<number>,
): void {
  const { keys, queries, counts } = packed;
  const [, H, S] = golden.shape("out.column_mean") as [number, number, number];
  const means = golden.floats("out.column_mean");
  const actual: number[] = [];
  const expected: number[] = [];
  for (const [i, row] of keys.rows.entries()) {
    const sample = Math.floor(row / S);
    const [from, to] = [queries.offsets[sample] as number, queries.offsets[sample + 1] as number];
    const count = counts.subarray(from, to).reduce((sum, value) => sum + value, 0);
    actual.push((received[i] as number) / (H * count));
    const heads = Array.from({ length: H }, (_, h) => means[(sample * H + h) * S + (row % S)] as number);
    expected.push(heads.reduce((sum, value) => sum + value, 0) / H);
  }
  golden.compare("out.column_mean", actual, { expected });
}

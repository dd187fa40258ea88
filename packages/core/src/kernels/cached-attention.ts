import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { offsetsOf } from "../offsets.js";
import { bindShapes } from "../shape.js";
import { attend } from "./attention-reference.js";
import type { KernelCase, KernelContract } from "./contract.js";

/** Attributes of {@link cachedAttention}. S samples. */
export type CachedAttentionAttrs = {
  /** `[S + 1]`: sample s has the new rows `offsets[s] .. offsets[s + 1]`, which may be none. */
  readonly offsets: Int32Array;
  /** `[S]`: rows that the buffers hold of each sample already. */
  readonly starts: Int32Array;
  /** H. */
  readonly heads: number;
  /** G, a divisor of H: query head h reads key-value head `⌊h G / H⌋`. */
  readonly kvHeads: number;
  /** Factor of the scores, usually 1/√w. */
  readonly scale: number;
  /** Position i sees j with `0 ≤ i − j < window`; 0 = no window. */
  readonly window: number;
  /** Scores become `softcap · tanh(score / softcap)` before the mask; 0 = none. */
  readonly softcap: number;
};

/** Inputs of the contract. */
export type CachedAttentionInput = "q" | "k" | "v" | "keys" | "values";

/**
 * Causal attention of new rows over those before them, which lie in buffers: writes rows `k` and `v` to the buffers from
 * `starts` on, and attends as {@link attention} over the rows up to there.
 *
 * R new rows, H query heads, G key-value heads of width w, N rows of room for each sample: `q`, `y` `[R, H·w]`; `k`, `v`
 * `[R, G·w]`; `keys`, `values` `[S, N, G·w]`. Outputs: `y` and both buffers.
 *
 * An update contract: never differentiated. A backend may write into the buffers and return them where nothing else
 * holds them; nothing is copied then but the new rows.
 */
export const cachedAttention: KernelContract<CachedAttentionInput, CachedAttentionAttrs> = {
  name: "BasicCachedAttention",
  inputs: ["q", "k", "v", "keys", "values"],
  infer: ({ q, k, v, keys, values }, attrs) => {
    const where = "cachedAttention";
    bindShapes(where, {
      q: ["RA", q],
      k: ["RC", k],
      v: ["RC", v],
      keys: ["SNC", keys],
      values: ["SNC", values],
    });
    checkCachedRows(where, { rows: q[0] as number, buffer: keys }, attrs);
    checkHeads(where, [q[1] as number, k[1] as number], attrs);
    return [q, keys, values];
  },
  reference: (inputs, attrs) => tf.tidy(() => attendCached(inputs, attrs)),
  save: { inputs: [], outputs: [false, false, false] },
  gradient: null,
  differentiable: [],
  cases: cachedCases(),
  // As for attention.
  tolerance: { absolute: 1e-6, relative: 8e-6 },
};

/** Which rows go where. */
type CachedRows = Pick<CachedAttentionAttrs, "offsets" | "starts">;

/** @throws {@link BasicError} `E_SHAPE` where offsets or starts do not fit, or a buffer has too little room. */
export function checkCachedRows(
  where: string,
  { rows, buffer }: { readonly rows: number; readonly buffer: readonly number[] },
  { offsets, starts }: CachedRows,
): void {
  const [samples, room] = buffer as [number, number];
  const rises = offsets.every((offset, i) => i === 0 || offset >= (offsets[i - 1] as number));
  if (offsets.length !== samples + 1 || offsets[0] !== 0 || offsets[samples] !== rows || !rises) {
    throw new BasicError(
      "E_SHAPE",
      `${where}: \`offsets\` must rise from 0 to the ${rows} new rows in ${samples} steps, one for each sample of the buffers, got [${offsets.join(", ")}].`,
    );
  }
  if (starts.length !== samples) {
    throw new BasicError(
      "E_SHAPE",
      `${where}: \`starts\` must have one value for each of the ${samples} samples of the buffers, got ${starts.length}.`,
    );
  }
  const full = starts.findIndex((start, s) => start < 0 || start + rowsOf(offsets, s) > room);
  if (full < 0) return;
  throw new BasicError(
    "E_SHAPE",
    `${where}: sample ${full} has ${rowsOf(offsets, full)} new rows from row ${starts[full]} on, but the buffers have room for ${room}. Copy them to larger ones first.`,
  );
}

function rowsOf(offsets: Int32Array, sample: number): number {
  return (offsets[sample + 1] as number) - (offsets[sample] as number);
}

/** @throws {@link BasicError} `E_SHAPE` where widths and heads do not fit. */
export function checkHeads(
  where: string,
  [wide, narrow]: readonly [number, number],
  { heads, kvHeads }: Pick<CachedAttentionAttrs, "heads" | "kvHeads">,
): void {
  const fits = heads >= 1 && kvHeads >= 1 && heads % kvHeads === 0 && wide % heads === 0;
  if (fits && wide / heads === narrow / kvHeads) return;
  throw new BasicError(
    "E_SHAPE",
    `${where}: queries of width ${wide} in ${heads} heads and keys of width ${narrow} in ${kvHeads} heads must give the same head width, and \`heads\` must be a multiple of \`kvHeads\`.`,
  );
}

function attendCached(
  { q, k, v, keys, values }: Readonly<Record<CachedAttentionInput, tf.Tensor>>,
  attrs: CachedAttentionAttrs,
): tf.Tensor[] {
  const { offsets, starts, heads, kvHeads, scale, window, softcap } = attrs;
  const written = [withNewRows(keys, k, attrs), withNewRows(values, v, attrs)] as const;
  const rows = written.map((samples) =>
    tf.concat(
      samples.map((sample, s) => tf.slice(sample, [0, 0], [(starts[s] as number) + rowsOf(offsets, s), -1])),
      0,
    ),
  );
  const kvOffsets = offsetsOf(Array.from(starts, (start, s) => start + rowsOf(offsets, s)));
  const layout = { qOffsets: offsets, kvOffsets, causal: true };
  const inputs = { q, k: rows[0] as tf.Tensor, v: rows[1] as tf.Tensor };
  const [y] = attend(inputs, { ...layout, heads, kvHeads, scale, window, softcap });
  return [y as tf.Tensor, tf.stack([...written[0]]), tf.stack([...written[1]])];
}

/** The buffer of each sample with its new rows. */
function withNewRows(
  buffer: tf.Tensor,
  rows: tf.Tensor,
  { offsets, starts }: CachedRows,
): readonly tf.Tensor[] {
  return tf.unstack(buffer).map((sample, s) => {
    const [start, count, room] = [starts[s] as number, rowsOf(offsets, s), sample.shape[0] as number];
    if (count === 0) return sample;
    return tf.concat(
      [
        tf.slice(sample, [0, 0], [start, -1]),
        tf.slice(rows, [offsets[s] as number, 0], [count, -1]),
        tf.slice(sample, [start + count, 0], [room - start - count, -1]),
      ],
      0,
    );
  });
}

interface CachedShape {
  readonly title: string;
  /** New rows of each sample, and those in the buffers. */
  readonly rows: readonly number[];
  readonly starts: readonly number[];
  readonly room: number;
  readonly heads?: readonly [heads: number, kvHeads: number, width: number];
  readonly window?: number;
  readonly softcap?: number;
}

function cachedCases(): readonly KernelCase<CachedAttentionInput, CachedAttentionAttrs>[] {
  const shapes: readonly CachedShape[] = [
    { title: "one row after nine", rows: [1], starts: [9], room: 16 },
    { title: "the first rows", rows: [5], starts: [0], room: 5 },
    { title: "several rows after some, room left", rows: [3], starts: [4], room: 11 },
    { title: "samples of other lengths, one without new rows", rows: [1, 0, 1], starts: [7, 3, 0], room: 8 },
    { title: "grouped heads", rows: [1, 1], starts: [33, 2], room: 40, heads: [6, 2, 5] },
    { title: "window and softcap", rows: [2, 3], starts: [6, 0], room: 9, window: 3, softcap: 2 },
    { title: "no new rows", rows: [0], starts: [2], room: 4 },
  ];
  return shapes.map(({ title, rows, starts, room, heads = [3, 1, 7], window = 0, softcap = 0 }) => {
    const [count, kvHeads, width] = heads;
    const offsets = offsetsOf(rows);
    const total = offsets[rows.length] as number;
    const buffer = { shape: [rows.length, room, kvHeads * width] };
    const fresh = { shape: [total, kvHeads * width] };
    const attrs = { offsets, starts: Int32Array.from(starts), heads: count, kvHeads, window, softcap };
    return {
      title,
      inputs: { q: { shape: [total, count * width] }, k: fresh, v: fresh, keys: buffer, values: buffer },
      attrs: { ...attrs, scale: width ** -0.5 },
    };
  });
}

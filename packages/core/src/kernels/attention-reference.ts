import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import type { AttentionAttrs, AttentionReceivedAttrs } from "./attention.js";

/** Rows of one sample. */
interface Sample {
  readonly qStart: number;
  readonly queries: number;
  readonly kStart: number;
  readonly keys: number;
}

/** What {@link attentionReceived} adds to the attributes. */
type Receive = Pick<AttentionReceivedAttrs, "countsAsText" | "receiveFrom">;

/** `[y, logSumExp]`, and `received` where asked for, sample by sample out of stock ops. */
export function attend(
  { q, k, v }: Readonly<Record<"q" | "k" | "v", tf.Tensor>>,
  attrs: AttentionAttrs,
  receive?: Receive,
): tf.Tensor[] {
  const { heads, kvHeads } = attrs;
  const parts = samplesOf(attrs).map((sample) => {
    const { queries, keys } = sample;
    if (queries === 0 || keys === 0) {
      const empty = [tf.zeros([queries, q.shape[1] as number]), tf.zeros([queries, heads])];
      return [...empty, tf.zeros([keys])];
    }
    const { scores, visible } = scoresOf(q, k, sample, attrs);
    const { p, logSumExp } = softmaxOf(scores, visible);
    const values = headsOf(v, sample.kStart, keys, kvHeads);
    const y = rowsOf(tf.reshape(tf.matMul(inGroups(p, kvHeads), values), [heads, queries, -1]));
    const received = receive === undefined ? [] : [receivedOf(detach(p), sample, receive)];
    return [y, tf.transpose(detach(logSumExp), [1, 0]), ...received];
  });
  const empty = [tf.zeros([0, q.shape[1] as number]), tf.zeros([0, heads]), tf.zeros([0])];
  return empty.slice(0, receive === undefined ? 2 : 3).map((zero, i) =>
    concatRows(
      parts.map((part) => part[i] as tf.Tensor),
      zero,
    ),
  );
}

/** `[dq, dk, dv]` in closed form. */
export function attendBackward(
  inputs: Readonly<Record<"dy" | "q" | "k" | "v" | "y" | "logSumExp", tf.Tensor>>,
  attrs: AttentionAttrs,
): tf.Tensor[] {
  const { q, k } = inputs;
  const parts = samplesOf(attrs).map((sample) => {
    const { queries, keys } = sample;
    if (queries === 0 || keys === 0) {
      const rows = tf.zeros([keys, k.shape[1] as number]);
      return [tf.zeros([queries, q.shape[1] as number]), rows, rows];
    }
    return sampleBackward(inputs, sample, attrs);
  });
  return [q, k, k].map((input, i) =>
    concatRows(
      parts.map((part) => part[i] as tf.Tensor),
      tf.zeros([0, input.shape[1] as number]),
    ),
  );
}

function sampleBackward(
  { dy, q, k, v, y, logSumExp }: Readonly<Record<"dy" | "q" | "k" | "v" | "y" | "logSumExp", tf.Tensor>>,
  sample: Sample,
  attrs: AttentionAttrs,
): tf.Tensor[] {
  const { qStart, queries, kStart, keys } = sample;
  const { heads, kvHeads, scale } = attrs;
  const { scores, visible, slope } = scoresOf(q, k, sample, attrs);
  const lse = tf.reshape(headsOf(logSumExp, qStart, queries, heads), [heads, queries, 1]);
  const p = tf.mul(tf.exp(tf.mul(tf.sub(scores, lse), visible)), visible);
  const [dyHeads, yHeads] = [dy, y].map((x) => headsOf(x, qStart, queries, heads)) as [tf.Tensor, tf.Tensor];
  const dyGroups = inGroups(dyHeads, kvHeads);
  const values = headsOf(v, kStart, keys, kvHeads);
  const dp = tf.reshape(tf.matMul(dyGroups, values, false, true), [heads, queries, keys]);
  const mean = tf.sum(tf.mul(dyHeads, yHeads), 2, true);
  const ds = inGroups(tf.mul(tf.mul(tf.mul(p, tf.sub(dp, mean)), slope), scale), kvHeads);
  const dq = tf.reshape(tf.matMul(ds, headsOf(k, kStart, keys, kvHeads)), [heads, queries, -1]);
  const dk = tf.matMul(ds, inGroups(headsOf(q, qStart, queries, heads), kvHeads), true, false);
  const dv = tf.matMul(inGroups(p, kvHeads), dyGroups, true, false);
  return [dq, dk, dv].map(rowsOf);
}

/** Scaled and capped scores `[H, queries, keys]`, the mask `[queries, keys]` and the slope of the cap. */
function scoresOf(
  q: tf.Tensor,
  k: tf.Tensor,
  sample: Sample,
  attrs: AttentionAttrs,
): { scores: tf.Tensor; visible: tf.Tensor; slope: tf.Tensor } {
  const { heads, kvHeads, scale, softcap } = attrs;
  const groups = inGroups(headsOf(q, sample.qStart, sample.queries, heads), kvHeads);
  const keyHeads = headsOf(k, sample.kStart, sample.keys, kvHeads);
  const products = tf.matMul(groups, keyHeads, false, true);
  const scaled = tf.mul(tf.reshape(products, [heads, sample.queries, sample.keys]), scale);
  const visible = maskOf(sample, attrs);
  if (softcap === 0) return { scores: scaled, visible, slope: tf.scalar(1) };
  const t = tf.tanh(tf.div(scaled, softcap));
  return { scores: tf.mul(t, softcap), visible, slope: tf.sub(1, tf.square(detach(t))) };
}

/** Below every score that occurs. */
const LOWEST = -1e30;

/** Probabilities `[H, queries, keys]` and log-sum-exps `[H, queries]`, 0 for rows that see nothing. */
function softmaxOf(scores: tf.Tensor, visible: tf.Tensor): { p: tf.Tensor; logSumExp: tf.Tensor } {
  const seen = tf.max(visible, 1, true);
  const masked = tf.add(tf.mul(scores, visible), tf.mul(tf.sub(1, visible), LOWEST));
  const largest = detach(tf.max(masked, 2, true));
  const exponentials = tf.mul(tf.exp(tf.mul(tf.sub(scores, largest), visible)), visible);
  const total = tf.add(tf.sum(exponentials, 2, true), tf.sub(1, seen));
  const logSumExp = tf.mul(tf.add(largest, tf.log(total)), seen);
  const [heads, queries] = scores.shape as [number, number];
  return { p: tf.div(exponentials, total), logSumExp: tf.reshape(logSumExp, [heads, queries]) };
}

/** 1 where a query row sees a key row, else 0. */
function maskOf({ queries, keys }: Sample, { causal, window }: AttentionAttrs): tf.Tensor {
  const sees = (t: number, j: number) => {
    const back = keys - queries + t - j;
    return !causal || (back >= 0 && (window === 0 || back < window));
  };
  return constant(queries, keys, sees);
}

/** Sum of P over heads and over the rows that count, `[keys]`. */
function receivedOf(p: tf.Tensor, { qStart, queries, kStart, keys }: Sample, receive: Receive): tf.Tensor {
  const counts = constant(queries, keys, (t, j) => {
    const from = receive.receiveFrom[kStart + j] as number;
    return receive.countsAsText[qStart + t] === 1 && qStart + t >= from;
  });
  return tf.sum(tf.mul(p, counts), [0, 1]);
}

function constant(rows: number, columns: number, holds: (row: number, column: number) => boolean): tf.Tensor {
  const values = Array.from({ length: rows * columns }, (_, i) =>
    holds(Math.floor(i / columns), i % columns) ? 1 : 0,
  );
  return tf.tensor(values, [rows, columns], "float32");
}

/** Rows `start .. start + rows` of `[R, heads·w]` as `[heads, rows, w]`. */
function headsOf(x: tf.Tensor, start: number, rows: number, heads: number): tf.Tensor {
  const width = (x.shape[1] as number) / heads;
  const own = tf.slice(x, [start, 0], [rows, heads * width]);
  return tf.transpose(tf.reshape(own, [rows, heads, width]), [1, 0, 2]);
}

/** `[H, rows, w]` as `[G, (H/G)·rows, w]`: the query heads of a key-value head one below the other. */
function inGroups(x: tf.Tensor, kvHeads: number): tf.Tensor {
  return tf.reshape(x, [kvHeads, -1, x.shape[2] as number]);
}

/** `[heads, rows, w]` as `[rows, heads·w]`. */
function rowsOf(x: tf.Tensor): tf.Tensor {
  const [heads, rows, width] = x.shape as [number, number, number];
  return tf.reshape(tf.transpose(x, [1, 0, 2]), [rows, heads * width]);
}

function concatRows(parts: readonly tf.Tensor[], empty: tf.Tensor): tf.Tensor {
  const filled = parts.filter((part) => part.size > 0);
  return filled.length === 0 ? empty : tf.concat(filled, 0);
}

function samplesOf({ qOffsets, kvOffsets }: AttentionAttrs): Sample[] {
  return Array.from({ length: qOffsets.length - 1 }, (_, b) => {
    const [qStart, kStart] = [qOffsets[b] as number, kvOffsets[b] as number];
    return {
      qStart,
      queries: (qOffsets[b + 1] as number) - qStart,
      kStart,
      keys: (kvOffsets[b + 1] as number) - kStart,
    };
  });
}

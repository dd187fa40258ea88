import {
  type AttentionAttrs,
  attention,
  attentionReceived,
  cachedAttention,
  direction,
  directionBackward,
  type KernelContract,
  linearCrossEntropy,
  linearCrossEntropyBackward,
  linearKl,
} from "@basic-mllm/core";

import { withCases } from "./cases.js";

/** Samples and heads. */
export interface Heads {
  readonly title: string;
  /** Query rows of each sample, and key rows where they are others. */
  readonly queries: readonly number[];
  readonly keys?: readonly number[];
  readonly heads: number;
  readonly kvHeads: number;
  readonly width: number;
  readonly full?: boolean;
  readonly window?: number;
  readonly softcap?: number;
}

/** Every size of tiles and of sums, the last of several blocks, and keys that several blocks share. */
const shapes: readonly Heads[] = [
  { title: "heads of 6", queries: [5], heads: 2, kvHeads: 1, width: 6 },
  { title: "heads of 64", queries: [66, 3], heads: 2, kvHeads: 2, width: 64 },
  { title: "heads of 72", queries: [20], heads: 2, kvHeads: 1, width: 72, full: true },
  // Row 48 is the last one that sees a key of the first tile, and the first one of four pairs that a block takes at a time.
  { title: "heads of 128", queries: [52, 3], heads: 2, kvHeads: 1, width: 128, window: 18, softcap: 3 },
  { title: "heads of 256", queries: [36], heads: 1, kvHeads: 1, width: 256 },
  { title: "heads of 260", queries: [9], heads: 2, kvHeads: 1, width: 260 },
  { title: "few rows, heads of 72", queries: [1, 3], keys: [7, 3], heads: 2, kvHeads: 1, width: 72 },
  { title: "few rows, heads of 256", queries: [2], keys: [5], heads: 2, kvHeads: 1, width: 256 },
  { title: "shared keys", queries: [1, 1], keys: [200, 70], heads: 4, kvHeads: 2, width: 16 },
  {
    title: "shared keys of which some are out of the window",
    queries: [2],
    keys: [300],
    heads: 2,
    kvHeads: 1,
    width: 8,
    window: 70,
  },
];

function total(rows: readonly number[]): number {
  return rows.reduce((sum, own) => sum + own, 0);
}

function offsetsOf(rows: readonly number[]): Int32Array {
  return Int32Array.from([0, ...rows], (_, b) => total(rows.slice(0, b)));
}

function inputsOf({ queries, keys = queries, heads, kvHeads, width }: Heads) {
  const rows = { shape: [total(keys), kvHeads * width] };
  return { q: { shape: [total(queries), heads * width] }, k: rows, v: rows };
}

function attrsOf(shape: Heads): AttentionAttrs {
  const { queries, keys = queries, heads, kvHeads, width, full = false, window = 0, softcap = 0 } = shape;
  const offsets = { qOffsets: offsetsOf(queries), kvOffsets: offsetsOf(keys) };
  return { ...offsets, heads, kvHeads, scale: 1 / Math.sqrt(width), causal: !full, window, softcap };
}

/** Attention, with and without what keys receive, over heads of these shapes. */
export function attentionOver(heads: readonly Heads[]): readonly KernelContract[] {
  const cases = heads.map((shape) => ({
    title: shape.title,
    inputs: inputsOf(shape),
    attrs: attrsOf(shape),
  }));
  const received = cases.map(({ title, inputs, attrs }) => {
    const [queries, keys] = [inputs.q.shape[0] as number, inputs.k.shape[0] as number];
    const countsAsText = Int32Array.from({ length: queries }, (_, t) => Number(t % 3 !== 1));
    const receiveFrom = Int32Array.from({ length: keys }, (_, j) =>
      j % 5 === 4 ? queries : Math.min(queries, Math.floor(j / 2)),
    );
    return { title, inputs, attrs: { ...attrs, countsAsText, receiveFrom } };
  });
  return [withCases(attention, cases), withCases(attentionReceived, received)];
}

function attentionContracts(): readonly KernelContract[] {
  const cached = {
    title: "rows after many",
    inputs: {
      ...{ q: { shape: [3, 24] }, k: { shape: [3, 12] }, v: { shape: [3, 12] } },
      ...{ keys: { shape: [2, 210, 12] }, values: { shape: [2, 210, 12] } },
    },
    attrs: {
      ...{ offsets: Int32Array.of(0, 1, 3), starts: Int32Array.of(209, 40), heads: 2, kvHeads: 1 },
      ...{ scale: 0.3, window: 0, softcap: 0 },
    },
  };
  return [...attentionOver(shapes), withCases(cachedAttention, [cached])];
}

function directionContracts(): readonly KernelContract[] {
  const rows = { v: { shape: [3, 516] }, r: { shape: [3, 516], scale: 3 }, a: { shape: [3] } };
  return [
    withCases(direction, [{ title: "vectors, several for a thread", inputs: rows, attrs: {} }]),
    withCases(directionBackward, [
      {
        title: "vectors, several for a thread",
        inputs: { dloss: { shape: [3] }, ...rows },
        attrs: { needsRefined: true },
      },
    ]),
  ];
}

/** Rows and words, and the bytes of logits that cut them: blocks of 64 at least. */
const vocabularies = [
  { title: "all words at once, several runs of rows", rows: 90, words: 40, chunkBytes: 4 * 64 * 40 },
  { title: "several chunks of words", rows: 5, words: 300, chunkBytes: 4 * 5 * 64 },
  { title: "several runs of rows and chunks of words", rows: 90, words: 150, chunkBytes: 1 },
  { title: "more words than a block has threads", rows: 3, words: 1100, chunkBytes: 2 ** 24 },
] as const;

function crossEntropyContracts(): readonly KernelContract[] {
  const cases = vocabularies.flatMap(({ title, rows, words, chunkBytes }) =>
    [0, 2].map((softcap) => {
      // One row in four has no label.
      const labels = Int32Array.from({ length: rows }, (_, r) => (r % 4 === 1 ? -100 : (r * 37) % words));
      const attrs = { labels, softcap, chunkBytes };
      const inputs = { x: { shape: [rows, 5] }, weight: { shape: [words, 5] } };
      return { title: softcap === 0 ? title : `${title}, softcap`, inputs, attrs };
    }),
  );
  const forward = [true, false].flatMap((withSlope) =>
    cases.map(({ title, inputs, attrs }) => ({
      title: withSlope ? `${title}, with the slope` : title,
      inputs,
      attrs: { ...attrs, withSlope },
    })),
  );
  return [
    withCases(linearCrossEntropy, [...forward, ...[200, 3].map(overflowing)]),
    withCases(
      linearCrossEntropyBackward,
      cases.map(({ title, inputs, attrs }) => ({
        title,
        inputs: { ...inputs, ...crossEntropyRows(attrs.labels) },
        attrs: { ...attrs, needsWeight: true },
      })),
    ),
  ];
}

/** A logit whose exponential is no float, in the words of the last warps. */
function overflowing(label: number) {
  const values = Array.from({ length: 259 }, (_, word) => (word === 200 ? 100 : (word % 7) / 8));
  return {
    title: label === 200 ? "a very likely label" : "a very unlikely label",
    inputs: { x: { shape: [1, 1], values: [1] }, weight: { shape: [259, 1], values } },
    attrs: { labels: Int32Array.of(label), softcap: 0, chunkBytes: 2 ** 24, withSlope: true },
  };
}

/** Log-sum-exps as large as those of the inputs. */
function crossEntropyRows(labels: Int32Array) {
  const values = Array.from(labels, (label) => (label < 0 ? 0 : 9));
  return { dloss: { shape: [labels.length] }, logSumExp: { shape: [labels.length], values } };
}

function klContracts(): readonly KernelContract[] {
  const inputs = (rows: number, words: number, width: number) => ({
    ...{ v: { shape: [rows, width] }, r: { shape: [rows, width] } },
    ...{ vocabulary: { shape: [words, width] }, a: { shape: [rows] } },
  });
  const cases = vocabularies.flatMap(({ title, rows, words, chunkBytes }) =>
    [true, false].map((withSlope) => ({
      title: withSlope ? `${title}, with the slope` : title,
      inputs: inputs(rows, words, 5),
      attrs: { chunkBytes, withSlope },
    })),
  );
  const rising = {
    title: "the largest logit comes last",
    inputs: {
      ...inputs(3, 200, 1),
      vocabulary: { shape: [200, 1], values: Array.from({ length: 200 }, (_, word) => word / 10 - 10) },
      v: { shape: [3, 1], values: [1, -1, 4] },
    },
    attrs: { chunkBytes: 1, withSlope: true },
  };
  return [withCases(linearKl, [...cases, rising])];
}

/** Attention and the losses with cases of our own. */
export const attentionAndLossContracts: readonly KernelContract[] = [
  ...attentionContracts(),
  ...directionContracts(),
  ...crossEntropyContracts(),
  ...klContracts(),
];

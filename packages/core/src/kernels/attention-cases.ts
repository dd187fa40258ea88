import { offsetsOf } from "../offsets.js";
import type { AttentionAttrs, AttentionReceivedAttrs } from "./attention.js";
import { dot, hostLogSumExp, largeLogits, seededValues } from "./case-values.js";
import type { InputSpec, KernelCase } from "./contract.js";

interface Shape {
  readonly title: string;
  /** Query rows of each sample. */
  readonly queries: readonly number[];
  /** Key rows of each sample, the query rows where left out. */
  readonly keys?: readonly number[];
  readonly heads: number;
  readonly kvHeads: number;
  readonly width: number;
  readonly full?: boolean;
  readonly window?: number;
  readonly softcap?: number;
  readonly scale?: number;
  readonly large?: boolean;
}

type ValueSpec = InputSpec & { readonly values: readonly number[] };
type Operands = Readonly<Record<"q" | "k" | "v", ValueSpec>>;

const shapes: readonly Shape[] = [
  { title: "causal, odd shape", queries: [9], heads: 3, kvHeads: 3, width: 7 },
  { title: "full, odd shape", queries: [9], heads: 3, kvHeads: 3, width: 7, full: true },
  { title: "several samples, some empty", queries: [0, 5, 1, 0, 7], heads: 2, kvHeads: 2, width: 3 },
  { title: "full, several samples", queries: [4, 1, 6], heads: 2, kvHeads: 1, width: 5, full: true },
  { title: "grouped heads", queries: [5, 4], heads: 6, kvHeads: 2, width: 3 },
  { title: "one key-value head", queries: [7], heads: 4, kvHeads: 1, width: 9 },
  { title: "window", queries: [9, 3], heads: 2, kvHeads: 1, width: 4, window: 3 },
  { title: "window of one row", queries: [5], heads: 2, kvHeads: 2, width: 3, window: 1 },
  { title: "softcap", queries: [6], heads: 2, kvHeads: 1, width: 5, softcap: 2, scale: 2 },
  { title: "softcap and window", queries: [6, 2], heads: 2, kvHeads: 1, width: 5, softcap: 3, window: 4 },
  { title: "decoding one row", queries: [1, 1], keys: [9, 4], heads: 4, kvHeads: 2, width: 3 },
  {
    title: "fewer queries than keys, window",
    queries: [3],
    keys: [11],
    heads: 2,
    kvHeads: 1,
    width: 3,
    window: 4,
  },
  { title: "rows that see no key", queries: [5, 2], keys: [2, 0], heads: 2, kvHeads: 2, width: 3 },
  { title: "keys without queries", queries: [0, 3], keys: [4, 3], heads: 2, kvHeads: 1, width: 3 },
  { title: "one row", queries: [1], heads: 1, kvHeads: 1, width: 1 },
  { title: "scores around 1e3", queries: [6], heads: 2, kvHeads: 2, width: 8, scale: 20, large: true },
  { title: "wider than a tile", queries: [33, 18], heads: 2, kvHeads: 1, width: 40 },
  { title: "longer than a block of keys", queries: [70], keys: [141], heads: 1, kvHeads: 1, width: 9 },
  { title: "no rows", queries: [0], heads: 2, kvHeads: 1, width: 3 },
];

/** Cases of `attention`. */
export function attentionCases(): readonly KernelCase<"q" | "k" | "v", AttentionAttrs>[] {
  return shapes.map((shape, seed) => ({
    title: shape.title,
    inputs: operands(shape, seed),
    attrs: attrsOf(shape),
    ...(shape.large && { tolerance: largeLogits.forward }),
  }));
}

/** Cases of `attentionReceived`: every third row is not text; images of two rows, some of which never count. */
export function attentionReceivedCases(): readonly KernelCase<"q" | "k" | "v", AttentionReceivedAttrs>[] {
  return shapes.map((shape, seed) => {
    const attrs = attrsOf(shape);
    const [queries, keys] = [last(attrs.qOffsets), last(attrs.kvOffsets)];
    const countsAsText = Int32Array.from({ length: queries }, (_, t) => (t % 3 === 2 ? 0 : 1));
    const receiveFrom = Int32Array.from({ length: keys }, (_, j) => {
      if (j % 4 === 3) return queries;
      return Math.min(queries, Math.floor((j * queries) / keys / 2) * 2);
    });
    return {
      title: shape.title,
      inputs: operands(shape, seed),
      attrs: { ...attrs, countsAsText, receiveFrom },
      ...(shape.large && { tolerance: largeLogits.forward }),
    };
  });
}

/** Cases of `attentionBackward`: outputs and log-sum-exps belong to the inputs. */
export function attentionBackwardCases(): readonly KernelCase<
  "dy" | "q" | "k" | "v" | "y" | "logSumExp",
  AttentionAttrs
>[] {
  return shapes.map((shape, seed) => {
    const inputs = operands(shape, seed);
    const attrs = attrsOf(shape);
    const { y, logSumExp } = hostAttention(inputs, attrs);
    const lse = { shape: [last(attrs.qOffsets), shape.heads], values: logSumExp.map(Math.fround) };
    return {
      title: shape.title,
      inputs: {
        dy: { shape: inputs.q.shape },
        ...inputs,
        y: { shape: inputs.q.shape, values: y.map(Math.fround) },
        logSumExp: lse,
      },
      attrs,
      ...(shape.large && { tolerance: largeLogits.backward }),
    };
  });
}

function operands(
  { queries, keys = queries, heads, kvHeads, width, scale = 1 }: Shape,
  seed: number,
): Operands {
  const make = (rows: number, columns: number, salt: number, size: number) => ({
    shape: [rows, columns],
    values: seededValues(rows * columns, 3 * seed + salt, size),
  });
  return {
    q: make(sum(queries), heads * width, 1, scale),
    k: make(sum(keys), kvHeads * width, 2, scale),
    v: make(sum(keys), kvHeads * width, 3, 1),
  };
}

function attrsOf(shape: Shape): AttentionAttrs {
  const { queries, keys = queries, heads, kvHeads, width, full = false, window = 0, softcap = 0 } = shape;
  return {
    qOffsets: offsetsOf(queries),
    kvOffsets: offsetsOf(keys),
    heads,
    kvHeads,
    scale: 1 / Math.sqrt(width),
    causal: !full,
    window,
    softcap,
  };
}

/** Attention on the host, one row and head at a time, in double precision. */
function hostAttention({ q, k, v }: Operands, attrs: AttentionAttrs): { y: number[]; logSumExp: number[] } {
  const { qOffsets, kvOffsets, heads, kvHeads, scale, softcap } = attrs;
  const width = (q.shape[1] as number) / heads;
  const y: number[] = [];
  const logSumExp: number[] = [];
  for (let b = 0; b + 1 < qOffsets.length; b++) {
    const [qStart, qEnd] = [qOffsets[b] as number, qOffsets[b + 1] as number];
    const [kStart, kEnd] = [kvOffsets[b] as number, kvOffsets[b + 1] as number];
    for (let t = qStart; t < qEnd; t++) {
      const position = kEnd - kStart - (qEnd - qStart) + t - qStart;
      for (let h = 0; h < heads; h++) {
        const head = Math.floor((h * kvHeads) / heads);
        const row = part(q.values, t * heads + h, width);
        const seen = visibleKeys(position, kEnd - kStart, attrs).map((j) => (kStart + j) * kvHeads + head);
        const scores = seen.map((j) => cap(scale * dot(row, part(k.values, j, width)), softcap));
        const lse = seen.length === 0 ? 0 : hostLogSumExp(scores);
        logSumExp.push(lse);
        const p = scores.map((score) => Math.exp(score - lse));
        for (let d = 0; d < width; d++)
          y.push(
            dot(
              p,
              seen.map((j) => v.values[j * width + d] ?? 0),
            ),
          );
      }
    }
  }
  return { y, logSumExp };
}

function visibleKeys(position: number, keys: number, { causal, window }: AttentionAttrs): number[] {
  const all = Array.from({ length: keys }, (_, j) => j);
  if (!causal) return all;
  return all.filter((j) => j <= position && (window === 0 || position - j < window));
}

function cap(score: number, softcap: number): number {
  return softcap === 0 ? score : softcap * Math.tanh(score / softcap);
}

function part(values: readonly number[], index: number, width: number): number[] {
  return values.slice(index * width, (index + 1) * width);
}

function last(offsets: Int32Array): number {
  return offsets.at(-1) ?? 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

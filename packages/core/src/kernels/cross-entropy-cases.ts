import { hostLogits, hostLogSumExp, largeLogits, seededValues } from "./case-values.js";
import type { InputSpec, KernelCase } from "./contract.js";
import type { LinearCrossEntropyAttrs, LinearCrossEntropyBackwardAttrs } from "./linear-cross-entropy.js";

interface Sizes {
  readonly title: string;
  readonly rows: number;
  readonly width: number;
  readonly words: number;
  readonly labels: readonly number[];
  readonly scale?: number;
  readonly softcap?: number;
  readonly chunkBytes?: number;
  readonly large?: boolean;
}

const sizes: readonly Sizes[] = [
  { title: "odd shape", rows: 5, width: 7, words: 41, labels: [0, 40, 3, 3, 17] },
  { title: "some rows ignored", rows: 4, width: 9, words: 7, labels: [-100, 6, -100, 0] },
  { title: "every row ignored", rows: 3, width: 9, words: 7, labels: [-100, -100, -100] },
  { title: "one row", rows: 1, width: 3, words: 129, labels: [128] },
  { title: "one word", rows: 2, width: 3, words: 1, labels: [0, -100] },
  { title: "softcap", rows: 5, width: 7, words: 11, labels: [1, 2, 3, -100, 5], softcap: 3, scale: 2 },
  { title: "logits around 1e3", rows: 4, width: 8, words: 13, labels: [0, 5, 12, 7], scale: 18, large: true },
  {
    title: "chunks that do not divide the rows or the words",
    rows: 7,
    width: 5,
    words: 37,
    labels: [0, 36, -100, 5, 5, 9, 31],
    chunkBytes: 3 * 37 * 4,
  },
  { title: "a chunk smaller than one row", rows: 3, width: 5, words: 37, labels: [0, 36, 1], chunkBytes: 64 },
  { title: "no rows", rows: 0, width: 5, words: 7, labels: [] },
];

/** Cases of `linearCrossEntropy`. */
export function crossEntropyCases(
  chunkBytes: number,
): readonly KernelCase<"x" | "weight", LinearCrossEntropyAttrs>[] {
  return sizes.flatMap((size, seed) =>
    [false, true].map((withSlope) => ({
      title: withSlope ? `${size.title}, with the slope` : size.title,
      inputs: operands(size, seed),
      attrs: { ...attrsOf(size, chunkBytes), withSlope },
      ...(size.large && { tolerance: largeLogits.forward }),
    })),
  );
}

/** Cases of `linearCrossEntropyBackward`: the log-sum-exp belongs to the logits. */
export function crossEntropyBackwardCases(
  chunkBytes: number,
): readonly KernelCase<"dloss" | "x" | "weight" | "logSumExp", LinearCrossEntropyBackwardAttrs>[] {
  return sizes.flatMap((size, seed) =>
    WANTED.map(([what, needsInput, needsWeight]) => {
      const { x, weight } = operands(size, seed);
      const logSumExp = logSumExps(size, x.values, weight.values);
      return {
        title: `${size.title}${what}`,
        inputs: {
          dloss: { shape: [size.rows] },
          x,
          weight,
          logSumExp: { shape: [size.rows], values: logSumExp },
        },
        attrs: { ...attrsOf(size, chunkBytes), needsInput, needsWeight },
        ...(size.large && { tolerance: largeLogits.backward }),
      };
    }),
  );
}

/** Gradients that a backward case asks for: of x, of both, of the weight. */
const WANTED = [
  ["", true, false],
  [", with the weight's gradient", true, true],
  [", the weight's gradient alone", false, true],
] as const;

type ValueSpec = InputSpec & { readonly values: readonly number[] };

function operands({ rows, width, words, scale }: Sizes, seed: number): { x: ValueSpec; weight: ValueSpec } {
  return {
    x: { shape: [rows, width], values: seededValues(rows * width, 2 * seed + 1, scale) },
    weight: { shape: [words, width], values: seededValues(words * width, 2 * seed + 2, scale) },
  };
}

function attrsOf({ labels, softcap = 0, chunkBytes }: Sizes, usual: number): LinearCrossEntropyAttrs {
  return { labels: Int32Array.from(labels), softcap, chunkBytes: chunkBytes ?? usual };
}

function logSumExps(size: Sizes, x: readonly number[], weight: readonly number[]): number[] {
  const { softcap = 0, labels, width } = size;
  const cap = (logit: number) => (softcap === 0 ? logit : softcap * Math.tanh(logit / softcap));
  return hostLogits(x, weight, width).map((row, r) =>
    labels[r] === -100 ? 0 : Math.fround(hostLogSumExp(row.map(cap))),
  );
}

import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type AttentionAttrs, attention, attentionReceived } from "./attention.js";
import { runKernel, setFallback } from "./run.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});
afterAll(() => {
  setFallback("error");
});

const one: AttentionAttrs = {
  qOffsets: Int32Array.of(0, 4),
  kvOffsets: Int32Array.of(0, 4),
  heads: 1,
  kvHeads: 1,
  scale: 1,
  causal: true,
  window: 0,
  softcap: 0,
};

/** With queries of 0 every visible key counts the same. */
function uniform(attrs: AttentionAttrs, values: readonly number[]): number[][] {
  return tf.tidy(() => {
    const rows = attrs.qOffsets.at(-1) ?? 0;
    const inputs = {
      q: tf.zeros([rows, attrs.heads]),
      k: tf.ones([values.length / attrs.kvHeads, attrs.kvHeads]),
      v: tf.tensor2d([...values], [values.length / attrs.kvHeads, attrs.kvHeads]),
    };
    return runKernel(attention, inputs, attrs).map((output) => [...output.dataSync()]);
  });
}

function expectClose(actual: readonly number[] | undefined, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(actual?.[i]).toBeCloseTo(value, 5);
}

describe("attention", () => {
  it("averages the visible values, causally", () => {
    const [y, logSumExp] = uniform(one, [1, 2, 3, 6]);
    expectClose(y, [1, 1.5, 2, 3]);
    // Scores are 0, so the log-sum-exp counts the keys.
    expectClose(logSumExp, [0, Math.log(2), Math.log(3), Math.log(4)]);
  });

  it("averages all values without `causal`", () => {
    expectClose(uniform({ ...one, causal: false }, [1, 2, 3, 6])[0], [3, 3, 3, 3]);
  });

  it("looks back over the window only", () => {
    expectClose(uniform({ ...one, window: 2 }, [1, 2, 3, 6])[0], [1, 1.5, 2.5, 4.5]);
  });

  it("aligns fewer queries with the last keys", () => {
    const attrs = { ...one, qOffsets: Int32Array.of(0, 2), kvOffsets: Int32Array.of(0, 4) };
    expectClose(uniform(attrs, [1, 2, 3, 6])[0], [2, 3]);
  });

  it("gives 0 to rows that see no key", () => {
    const attrs = { ...one, kvOffsets: Int32Array.of(0, 2) };
    const [y, logSumExp] = uniform(attrs, [1, 2]);
    expectClose(y, [0, 0, 1, 1.5]);
    expectClose(logSumExp, [0, 0, 0, Math.log(2)]);
  });

  it("keeps samples apart", () => {
    const offsets = Int32Array.of(0, 1, 1, 4);
    expectClose(uniform({ ...one, qOffsets: offsets, kvOffsets: offsets }, [1, 2, 4, 6])[0], [1, 2, 3, 4]);
  });

  it("reads key-value head 0 for the first half of the query heads", () => {
    const attrs = {
      ...one,
      heads: 4,
      kvHeads: 2,
      qOffsets: Int32Array.of(0, 1),
      kvOffsets: Int32Array.of(0, 1),
    };
    expectClose(uniform(attrs, [5, 7])[0], [5, 5, 7, 7]);
  });

  it("caps scaled scores before the softmax", () => {
    const [, logSumExp] = tf.tidy(() => {
      const inputs = { q: tf.tensor2d([[4]]), k: tf.tensor2d([[3]]), v: tf.ones([1, 1]) };
      const offsets = Int32Array.of(0, 1);
      const attrs = { ...one, qOffsets: offsets, kvOffsets: offsets, scale: 0.5, softcap: 5 };
      return runKernel(attention, inputs, attrs).map((output) => [...output.dataSync()]);
    });
    expectClose(logSumExp, [5 * Math.tanh(6 / 5)]);
  });

  const run = (attrs: Partial<AttentionAttrs>, q = [4, 6], k = [4, 6]) =>
    attention.infer({ q, k, v: k }, { ...one, ...attrs });

  it("refuses heads that do not divide", () => {
    expect(() => run({ heads: 3, kvHeads: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attention: 3 query heads do not divide into groups of 2 key-value heads. Give \`heads\` as a multiple of \`kvHeads\`. [E_SHAPE]]`,
    );
  });

  it("refuses head widths that differ", () => {
    expect(() => run({ heads: 2, kvHeads: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attention: \`q\` [4, 6] in 2 heads and \`k\` [4, 6] in 1 heads must give the same head width. [E_SHAPE]]`,
    );
  });

  it("refuses offsets that do not cover the rows", () => {
    expect(() => run({ qOffsets: Int32Array.of(0, 3) })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attention: \`qOffsets\` must rise from 0 to the 4 rows, got [0, 3]. [E_SHAPE]]`,
    );
    expect(() => run({ kvOffsets: Int32Array.of(0, 5, 4) })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attention: \`kvOffsets\` must rise from 0 to the 4 rows, got [0, 5, 4]. [E_SHAPE]]`,
    );
    expect(() => run({ kvOffsets: Int32Array.of(0, 2, 4) })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attention: dimension B is 2 in \`qOffsets\` but 3 in \`kvOffsets\` [3]. [E_SHAPE]]`,
    );
  });

  it("refuses a window without `causal`", () => {
    expect(() => run({ window: 2, causal: false })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attention: a window of 2 needs \`causal\`: it looks back from each row. Set \`causal\`, or \`window\` to 0. [E_CONFIG]]`,
    );
  });
});

describe("attentionReceived", () => {
  const received = (countsAsText: readonly number[], receiveFrom: readonly number[], heads = 1): number[] =>
    tf.tidy(() => {
      const inputs = { q: tf.zeros([4, heads]), k: tf.ones([4, 1]), v: tf.ones([4, 1]) };
      const attrs = {
        ...one,
        heads,
        countsAsText: Int32Array.from(countsAsText),
        receiveFrom: Int32Array.from(receiveFrom),
      };
      return [...(runKernel(attentionReceived, inputs, attrs)[2] as tf.Tensor).dataSync()];
    });

  it("sums the attention of text rows from `receiveFrom` on", () => {
    expectClose(received([1, 1, 1, 1], [0, 2, 3, 4]), [1 + 1 / 2 + 1 / 3 + 1 / 4, 1 / 3 + 1 / 4, 1 / 4, 0]);
  });

  it("leaves out rows that are not text", () => {
    expectClose(received([1, 0, 1, 0], [0, 0, 0, 0]), [1 + 1 / 3, 1 / 3, 1 / 3, 0]);
  });

  it("sums over the query heads", () => {
    expectClose(received([0, 0, 0, 1], [0, 0, 0, 0], 3), [0.75, 0.75, 0.75, 0.75]);
  });

  it("wants one flag for each query row and one start for each key row", () => {
    const call = (counts: number, starts: number) => () =>
      attentionReceived.infer(
        { q: [4, 6], k: [4, 6], v: [4, 6] },
        { ...one, countsAsText: new Int32Array(counts), receiveFrom: new Int32Array(starts) },
      );
    expect(call(3, 4)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attentionReceived: dimension Q is 4 in \`q\` but 3 in \`countsAsText\` [3]. [E_SHAPE]]`,
    );
    expect(call(4, 5)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: attentionReceived: dimension K is 4 in \`k\` but 5 in \`receiveFrom\` [5]. [E_SHAPE]]`,
    );
  });
});

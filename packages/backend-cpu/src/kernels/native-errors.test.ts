import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { leakCounters } from "../../test/compare.js";
import { native } from "../native.js";
import { start } from "../start.js";
import type { AttentionLayout } from "./bindings.js";

const floats = (length: number) => new Float32Array(length);
const none = floats(0);

const layout: AttentionLayout = {
  queryOffsets: Int32Array.of(0, 3),
  keyOffsets: Int32Array.of(0, 3),
  heads: 2,
  keyHeads: 1,
  headWidth: 4,
  scale: 1,
  causal: true,
  window: 0,
  softcap: 0,
};

function attend(change: Partial<AttentionLayout>, [q, k]: [number, number] = [24, 12]): void {
  native().attention(floats(q), floats(k), floats(12), { ...layout, ...change }, floats(24), floats(6));
}

// The contracts check all this before; these are the last line of defence before memory is touched.
describe("native kernels refuse", () => {
  it("outputs of another length", () => {
    expect(() => native().activation("silu", floats(4), floats(3))).toThrowErrorMatchingInlineSnapshot(
      `[Error: activation: \`y\` has 3 elements, expected 4]`,
    );
    expect(() =>
      native().rmsNorm(floats(6), floats(3), 1e-6, false, floats(6), floats(3)),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: rms_norm: \`inverse\` has 3 elements, expected 2]`);
  });

  it("an unknown activation or storage", () => {
    expect(() => native().activation("swish", floats(4), floats(4))).toThrowErrorMatchingInlineSnapshot(
      `[Error: activation: unknown activation \`swish\`]`,
    );
    expect(() =>
      native().packedLinear(floats(32), new Int32Array(9), none, "q5_0", 1, 32, 1, floats(1)),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: packed_linear: unknown storage \`q5_0\`]`);
  });

  it("packed weights of another length, and rows that are no whole blocks", () => {
    expect(() =>
      native().packedLinear(floats(32), new Int32Array(8), none, "q8_0", 1, 32, 1, floats(1)),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: packed_linear: \`weight\` has 8 elements, expected 9]`);
    expect(() =>
      native().packedLinear(floats(16), new Int32Array(9), none, "q8_0", 1, 16, 2, floats(2)),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: packed_linear: 16 values are no whole blocks of 32]`);
  });

  it("ids, rows and labels out of range", () => {
    const table = floats(12);
    expect(() =>
      native().splice(table, none, Int32Array.of(0, 4), 3, floats(6)),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: splice: \`ids\` holds 4, expected 0 to below 4]`);
    expect(() =>
      native().splice(table, none, Int32Array.of(0, -1), 3, floats(6)),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: splice: \`ids\` holds -1, expected 0 to below 4]`);
    expect(() =>
      native().scatterAddRows(floats(3), Int32Array.of(4), 3, table),
    ).toThrowErrorMatchingInlineSnapshot(
      `[Error: scatter_add_rows: \`rows\` holds 4, expected -2147483648 to below 4]`,
    );
    const options = { labels: Int32Array.of(4), width: 3, softcap: 0, chunkBytes: 1024 };
    expect(() =>
      native().linearCrossEntropy(floats(3), table, options, floats(1), floats(1), floats(0)),
    ).toThrowErrorMatchingInlineSnapshot(
      `[Error: linear_cross_entropy: \`labels\` holds 4, expected -2147483648 to below 4]`,
    );
  });

  it("offsets that fall, or that do not end at the last row", () => {
    expect(() =>
      attend({ queryOffsets: Int32Array.of(0, 4, 3), keyOffsets: Int32Array.of(0, 1, 3) }),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: attention: \`query_offsets\` must rise from 0 to 3]`);
    expect(() => attend({ keyOffsets: Int32Array.of(0, 2) })).toThrowErrorMatchingInlineSnapshot(
      `[Error: attention: \`key_offsets\` must rise from 0 to 3]`,
    );
    expect(() => attend({ keyOffsets: Int32Array.of(0, 1, 3) })).toThrowErrorMatchingInlineSnapshot(
      `[Error: attention: \`key_offsets\` has 3 elements, expected 2]`,
    );
  });

  it("heads that share no key heads, and rows that hold no whole heads", () => {
    expect(() => attend({ keyHeads: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[Error: attention: 2 heads do not share 3 key heads]`,
    );
    expect(() => attend({}, [23, 12])).toThrowErrorMatchingInlineSnapshot(
      `[Error: attention: \`q\` has 23 elements, no whole rows of 8]`,
    );
  });

  it("an output that lies over the offsets of an attention", () => {
    const shared = new Float32Array(24);
    const keyOffsets = new Int32Array(shared.buffer, 0, 2);
    keyOffsets.set([0, 3]);
    expect(() =>
      native().attention(floats(24), floats(12), floats(12), { ...layout, keyOffsets }, shared, floats(6)),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: attention: output 0 shares memory with another argument]`);
  });

  it("an output that is also an input, and an array of another type", () => {
    const x = floats(4);
    expect(() => native().activation("silu", x, x)).toThrowErrorMatchingInlineSnapshot(
      `[Error: activation: output 0 shares memory with another argument]`,
    );
    const integers: unknown = new Int32Array(4);
    expect(() => native().activation("silu", integers as Float32Array, x)).toThrowErrorMatchingInlineSnapshot(
      `[Error: expected a Float32Array]`,
    );
  });
});

describe("a call that native code refuses", () => {
  it("is a BasicError, and leaves no memory behind", async () => {
    await start({ threads: 1 });
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const wrong = tf.tensor1d([0, 7], "int32");
    const before = leakCounters();
    expect(() => tf.gather(x, wrong)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: A kernel of the CPU backend refused its call: gather: index 7 is not in 0 to 1. Check the shapes, indices and options that it was given; where they are right, report this with them. [E_KERNEL_FAILED]]`,
    );
    expect(leakCounters()).toEqual(before);
    tf.dispose([x, wrong]);
  });
});

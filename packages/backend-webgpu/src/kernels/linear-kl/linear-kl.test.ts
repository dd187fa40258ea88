import { type LinearKlInput, linearKl, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { failuresOf, withLimits } from "../../../test/own-cases.js";
import { start, startedBackend } from "../../index.js";

describe("BasicLinearKl", () => {
  it.each([
    ["all words at once, several runs of rows", { rows: 70, words: 40, chunkBytes: 4 * 64 * 40 }],
    ["several chunks of words", { rows: 5, words: 300, chunkBytes: 4 * 5 * 64 }],
    ["several runs of rows and chunks of words", { rows: 70, words: 150, chunkBytes: 1 }],
  ])("is right with %s", async (title, { rows, words, chunkBytes }) => {
    const attrs = { chunkBytes, withSlope: true };
    expect(await failuresOf(linearKl, [{ title, inputs: inputs(rows, words, 5), attrs }])).toEqual([]);
  });

  it("is right with rows whose largest logit comes last", async () => {
    const values = Array.from({ length: 200 }, (_, word) => word / 10 - 10);
    const vocabulary = { shape: [200, 1], values };
    const given = { ...inputs(3, 200, 1), vocabulary, v: { shape: [3, 1], values: [1, -1, 4] } };
    const attrs = { chunkBytes: 1, withSlope: true };
    expect(await failuresOf(linearKl, [{ title: "rising", inputs: given, attrs }])).toEqual([]);
  });

  it("takes a vocabulary that is larger than a binding", async () => {
    const attrs = { chunkBytes: 2 ** 24, withSlope: true };
    const own = { title: "large vocabulary", inputs: inputs(6, 500, 32), attrs };
    const limits = { maxStorageBufferBindingSize: 16_384 };
    expect(await withLimits(limits, () => failuresOf(linearKl, [own]))).toEqual([]);
  });

  it("says which limit a vocabulary exceeds that cannot be cut", async () => {
    const wide = () => {
      const [v, vocabulary, a] = [tf.ones([1, 400]), tf.ones([64, 400]), tf.ones([1])];
      return runKernel(linearKl, { v, r: v, vocabulary, a }, { chunkBytes: 1, withSlope: false });
    };
    await withLimits({ maxStorageBufferBindingSize: 65_536 }, async () => {
      expect(() => tf.tidy(() => void wide())).toThrowErrorMatchingInlineSnapshot(
        `[BasicError: matmul nt f32 none 16x64: an array of 0.1 MiB does not fit in one binding: maxStorageBufferBindingSize of this WebGPU device is 0.1 MiB. Lower \`rowBudget\` or \`batchSize\` and raise \`accumulate\` by as much; where the array is a weight, store it packed (bf16, q8_0) or take a smaller model. [E_DEVICE_MEMORY]]`,
      );
    });
  });

  it("never holds more logits than it may", async () => {
    await start();
    const { pool } = startedBackend();
    const [rows, words, chunkBytes] = [64, 2048, 2 ** 16];
    await tf.tidy(() => tf.zeros([1])).data();
    const operands = [tf.ones([rows, 4]), tf.ones([rows, 4]), tf.ones([words, 4]), tf.ones([rows])] as const;
    const [v, r, vocabulary, a] = operands;
    const before = pool.numBytesAllocated;
    const outputs = runKernel(linearKl, { v, r, vocabulary, a }, { chunkBytes, withSlope: true });
    expect([...(await (outputs[1] as tf.Tensor).data())].every((kl) => Math.abs(kl) < 1e-5)).toBe(true);
    expect(pool.numBytesAllocated - before).toBeLessThan(3 * chunkBytes);
    tf.dispose([...outputs, ...operands]);
  });
});

function inputs(rows: number, words: number, width: number) {
  return {
    v: { shape: [rows, width] },
    r: { shape: [rows, width] },
    vocabulary: { shape: [words, width] },
    a: { shape: [rows] },
  } satisfies Record<LinearKlInput, object>;
}

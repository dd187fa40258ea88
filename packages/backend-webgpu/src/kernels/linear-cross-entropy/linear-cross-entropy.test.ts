import { linearCrossEntropy } from "@basic-mllm/core";
import { describe, expect, it } from "vitest";

import { failuresOf, withLimits } from "../../../test/own-cases.js";

describe("BasicLinearCrossEntropy", () => {
  it.each([
    ["all words at once, several runs of rows", { rows: 90, words: 40, chunkBytes: 4 * 64 * 40 }],
    ["several chunks of words", { rows: 5, words: 300, chunkBytes: 4 * 5 * 64 }],
    ["several runs of rows and chunks of words", { rows: 90, words: 150, chunkBytes: 1 }],
    ["several chunks of words and a softcap", { rows: 9, words: 150, chunkBytes: 1, softcap: 2 }],
  ])("is right with %s", async (title, sizes) => {
    expect(await failuresOf(linearCrossEntropy, [own({ title, ...sizes })])).toEqual([]);
  });

  it("takes a vocabulary that is larger than a binding, also for its gradient", async () => {
    const case_ = own({ title: "large", rows: 6, words: 500, width: 32, chunkBytes: 2 ** 24 });
    const limits = { maxStorageBufferBindingSize: 16_384 };
    expect(await withLimits(limits, () => failuresOf(linearCrossEntropy, [case_]))).toEqual([]);
  });
});

interface Sizes {
  readonly title: string;
  readonly rows: number;
  readonly words: number;
  readonly width?: number;
  readonly chunkBytes: number;
  readonly softcap?: number;
}

/** One row in four has no label. */
function own({ title, rows, words, width = 5, chunkBytes, softcap = 0 }: Sizes) {
  const labels = Int32Array.from({ length: rows }, (_, r) => (r % 4 === 1 ? -100 : (r * 37) % words));
  return {
    title,
    inputs: { x: { shape: [rows, width] }, weight: { shape: [words, width] } },
    attrs: { labels, softcap, chunkBytes, withSlope: true },
  };
}

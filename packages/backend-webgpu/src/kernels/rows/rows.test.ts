import { embedding, packedEmbedding, packers, runKernel, scatterAddRows, splice } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { failuresOf, withLimits } from "../../../test/own-cases.js";
import { start } from "../../index.js";

/** A binding holds 64 rows of 16 values and little more, and one axis of a dispatch 3 workgroups. */
const SMALL = { maxStorageBufferBindingSize: 5000, maxComputeWorkgroupsPerDimension: 3 };

describe("rows of a table that is larger than a binding", () => {
  const ids = Int32Array.from({ length: 50 }, (_, i) => (i * i * 7) % 200);
  const table = { shape: [200, 16] };

  it("are gathered and their gradients added", async () => {
    const failures = await withLimits(SMALL, () =>
      failuresOf(embedding, [{ title: "large table", inputs: { table }, attrs: { ids } }]),
    );
    expect(failures).toEqual([]);
  });

  it("are spliced with visual rows", async () => {
    const mixed = ids.map((id, i) => (i % 3 === 0 ? -1 - (i % 7) : id));
    const own = { title: "splice", inputs: { table, visual: { shape: [7, 16] } }, attrs: { ids: mixed } };
    expect(await withLimits(SMALL, () => failuresOf(splice, [own]))).toEqual([]);
  });

  it.each(["bf16", "f16", "q8_0", "q4_0", "q4_1"] as const)("are decoded from %s", async (storage) => {
    const [height, width] = [700, 32];
    const values = Array.from({ length: height * width }, (_, i) => ((i * 37) % 1001) / 500 - 1);
    const words = Array.from(packers[storage](values));
    const own = {
      title: storage,
      inputs: { table: { shape: [words.length], values: words, dtype: "int32" as const } },
      attrs: { storage, height, width, ids: Int32Array.of(699, 0, 255, 256, 511, 512, 3, 699) },
    };
    const limits = { maxStorageBufferBindingSize: 20_000 };
    expect(await withLimits(limits, () => failuresOf(packedEmbedding, [own]))).toEqual([]);
  });
});

describe("BasicScatterAddRows", () => {
  it("gives the same bits every time", async () => {
    await start();
    const [dy, rows] = [
      tf.randomNormal([300, 5], 0, 1, "float32", 7),
      new Int32Array(300).map((_, i) => i % 3),
    ];
    const run = async () => {
      const [sums] = runKernel(scatterAddRows, { dy }, { rows, height: 4 }) as [tf.Tensor];
      const values = await sums.data();
      sums.dispose();
      return values;
    };
    const first = await run();
    for (let i = 0; i < 3; i++) expect(await run()).toEqual(first);
    dy.dispose();
  });
});

it("refuses ids beyond the table before anything runs", async () => {
  await start();
  const table = tf.zeros([9, 4]);
  expect(() =>
    runKernel(embedding, { table }, { ids: Int32Array.of(1, 9) }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: embedding: \`ids\`[1] is 9, but \`table\` has 9 rows: use 0 to 8. [E_INDEX_RANGE]]`,
  );
  table.dispose();
});

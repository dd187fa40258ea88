import { embedding, runKernel, scatterAddRows } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { start } from "../../index.js";

describe("BasicScatterAddRows", () => {
  it("gives the same bits every time", async () => {
    await start({ image: "ptx" });
    const values = Float32Array.from({ length: 1500 }, (_, i) => Math.sin(i * i));
    const [dy, rows] = [tf.tensor2d(values, [300, 5]), new Int32Array(300).map((_, i) => i % 3)];
    const run = async () => {
      const [sums] = runKernel(scatterAddRows, { dy }, { rows, height: 4 }) as [tf.Tensor];
      const data = await sums.data();
      sums.dispose();
      return data;
    };
    const first = await run();
    for (let i = 0; i < 3; i++) expect(await run()).toEqual(first);
    dy.dispose();
  });
});

it("refuses ids beyond the table before anything runs", async () => {
  await start({ image: "ptx" });
  const table = tf.zeros([9, 4]);
  expect(() =>
    runKernel(embedding, { table }, { ids: Int32Array.of(1, 9) }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: embedding: \`ids\`[1] is 9, but \`table\` has 9 rows: use 0 to 8. [E_INDEX_RANGE]]`,
  );
  table.dispose();
});

import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import { checkCases, useReferences } from "../../test/contract-checks.js";
import { packedEmbedding } from "./packed-embedding.js";
import { packQ8_0 } from "./quantised.js";
import { runKernel } from "./run.js";

useReferences(packedEmbedding);

const attrs = { storage: "q8_0", height: 3, width: 32, ids: Int32Array.of(2, 0, 2) } as const;

describe("packedEmbedding", () => {
  it("decodes the rows that are asked for", () => {
    const values = Array.from({ length: 96 }, (_, i) => 127 - (i % 32));
    const table = tf.tensor1d(packQ8_0(values.map((value, i) => value * 2 ** Math.floor(i / 32))), "int32");
    const [rows] = runKernel(packedEmbedding, { table }, attrs);
    expect(tf.slice(rows as tf.Tensor, [0, 0], [3, 2]).arraySync()).toEqual([
      [508, 504],
      [127, 126],
      [508, 504],
    ]);
  });

  it("refuses ids beyond the table, and another number of words", () => {
    const infer = (words: number, ids: Int32Array) => () =>
      packedEmbedding.infer({ table: [words] }, { ...attrs, ids });
    expect(infer(26, Int32Array.of(3))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: packedEmbedding: \`ids\`[0] is 3, but \`table\` has 3 rows: use 0 to 2. [E_INDEX_RANGE]]`,
    );
    expect(infer(25, attrs.ids)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: packedEmbedding: the q8_0 \`table\` of 3 x 32 must have shape [26], got [25]. [E_SHAPE]]`,
    );
  });

  checkCases(packedEmbedding);
});

import * as tf from "@tensorflow/tfjs-core";

import { seededValues } from "./case-values.js";
import type { KernelCase, KernelContract } from "./contract.js";
import { checkWeight } from "./frozen-linear.js";
import { checkIndices } from "./index-range.js";
import { type PackedStorage, packers, unpack } from "./quantised.js";

/** Attributes of {@link packedEmbedding}. */
export type PackedEmbeddingAttrs = {
  readonly storage: PackedStorage;
  /** V. */
  readonly height: number;
  /** D. */
  readonly width: number;
  /** `[R]`, each from 0 to V − 1. */
  readonly ids: Int32Array;
};

/**
 * `y_r = table[ids_r]` for a table `[V, D]` that stays packed: `table` as the weight of {@link frozenLinear}, `y` `[R, D]`.
 *
 * Without a gradient: a packed table never trains.
 */
export const packedEmbedding: KernelContract<"table", PackedEmbeddingAttrs> = {
  name: "BasicPackedEmbedding",
  inputs: ["table"],
  infer: ({ table }, { storage, height, width, ids }) => {
    const where = "packedEmbedding";
    checkWeight(where, table, { storage, inFeatures: width, outFeatures: height }, "table");
    checkIndices({ where, name: "`ids`", values: ids, minimum: 0, limit: height, target: "`table`" });
    return [[ids.length, width]];
  },
  reference: ({ table }, { storage, height, width, ids }) => [
    tf.tidy(() => {
      const values = unpack(storage, table.dataSync<"int32">(), height * width);
      const rows = new Float32Array(ids.length * width);
      for (const [r, id] of ids.entries()) rows.set(values.subarray(id * width, (id + 1) * width), r * width);
      return tf.tensor2d(rows, [ids.length, width]);
    }),
  ],
  save: { inputs: [], outputs: [false] },
  gradient: null,
  differentiable: [],
  cases: [
    packedCase("bf16", [5, 7], Int32Array.of(4, 0, 0, 2)),
    packedCase("f16", [5, 7], Int32Array.of(3, 4, 0)),
    packedCase("q8_0", [9, 96], Int32Array.of(8, 3)),
    packedCase("q4_0", [3, 32], Int32Array.of(1)),
    packedCase("q4_1", [41, 64], Int32Array.of(40, 0, 17, 17)),
    packedCase("q8_0", [2, 32], new Int32Array(0)),
  ],
  // Decoding is exact but for one rounding.
  tolerance: { absolute: 0, relative: 1.2e-7 },
};

function packedCase(
  storage: PackedStorage,
  [height, width]: readonly [number, number],
  ids: Int32Array,
): KernelCase<"table", PackedEmbeddingAttrs> {
  const words = Array.from(packers[storage](seededValues(height * width, 1)));
  return {
    title: `${storage}, ${ids.length} rows of ${width}`,
    inputs: { table: { shape: [words.length], values: words, dtype: "int32" } },
    attrs: { storage, height, width, ids },
  };
}

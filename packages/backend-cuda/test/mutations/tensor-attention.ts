import fragments from "../../src/kernels/attention/fragments.cuh";
import attention from "../../src/kernels/attention/tensor-attention.cu";
import keyGradient from "../../src/kernels/attention/tensor-key-gradient.cu";
import queryGradient from "../../src/kernels/attention/tensor-query-gradient.cu";
import tiles from "../../src/kernels/attention/tensor-tiles.cuh";
import { type Mutation, mutationsOf } from "./mutation.js";

const NAMES = ["BasicAttention"];

const changes = [
  ...mutationsOf(fragments, NAMES, [
    ["tensor attention: copies are not waited for", 'asm volatile("cp.async.wait_all;" ::: "memory");', ""],
    [
      "tensor attention: two depths of values are one",
      "b[1] = rounded(own[stride]);",
      "b[1] = rounded(own[0]);",
    ],
    [
      "tensor attention: weights are in the order of results",
      "a[i][1] = rounded(results[i][2]);\n      a[i][2] = rounded(results[i][1]);",
      "a[i][1] = rounded(results[i][1]);\n      a[i][2] = rounded(results[i][2]);",
    ],
    ["tensor attention: halves of keys are one", "LANE / 8 % 2 * (DEPTH / 2)", "0"],
    [
      "tensor attention: rows of a warp are its first eight",
      "LANE % 16 * stride + LANE / 16 * (",
      "LANE % 8 * stride + LANE / 16 * (",
    ],
  ]),
  ...mutationsOf(tiles, NAMES, [
    ["tensor attention: chunks are written while they are read", "    __syncthreads();\n", ""],
    ["tensor attention: chunks have one place", "    filled ^= 1;\n", ""],
    ["tensor attention: one row too many is read", "< rows.count && column", "<= rows.count && column"],
    ["tensor attention: one unaligned row too many is read", "< rows.count) four", "<= rows.count) four"],
    ["tensor attention: one vector too many is read", "&& column < width;", "&& column <= width;"],
    [
      "tensor attention: one column too many is stored",
      "if (column + 1 < width) row",
      "if (column + 1 <= width) row",
    ],
    ["tensor attention: blocks of a wide head sum the same columns", "(blockIdx.z * CHUNKS)", "0"],
    [
      "tensor attention: totals miss half of the threads",
      "float row_sum(float value) {\n  for (int step = 2;",
      "float row_sum(float value) {\n  for (int step = 1;",
    ],
  ]),
  ...mutationsOf(attention, NAMES, [
    ["tensor attention: sums are not corrected", "        sums[n][2 * i + 1] *= factor;\n", ""],
    ["tensor attention: parts of the keys overlap", "min(own.to, to)", "min(own.to, to + 1)"],
    [
      "tensor attention: the next queries are not asked for",
      "if (key + COLUMNS < to) pipe",
      "if (key < from) pipe",
    ],
  ]),
  ...mutationsOf(queryGradient, NAMES, [
    [
      "tensor query gradient: weighted by probabilities",
      "2 * i + j % 2]).y : 0.0f",
      "2 * i + j % 2]).x : 0.0f",
    ],
  ]),
  ...mutationsOf(keyGradient, NAMES, [
    ["tensor key gradient: values are weighted by the gradient of scores", "Weights(p)", "Weights(ds)"],
    ["tensor key gradient: one key too many is stored", "(key >= tile.keys)", "(key > tile.keys)"],
  ]),
];

/** Defects of attention on tensor cores. */
export const tensorMutations: readonly Mutation[] = changes.map((mutation) => ({
  ...mutation,
  precision: "tf32",
}));

import bf16 from "../../src/kernels/bf16.cuh";
import convert from "../../src/kernels/convert/convert.cu";
import { type Mutation, mutationsOf } from "./mutation.js";

const changed: readonly Mutation[] = [
  ...mutationsOf(
    bf16,
    ["BasicRmsNorm", "BasicRotary"],
    [
      ["bfloat16: neighbours are swapped", '"f"(second), "f"(first)', '"f"(first), "f"(second)'],
      ["bfloat16: the third value is the first", "float(four.y << 16)", "float(four.x << 16)"],
      ["bfloat16: the fourth value is the third", "float(four.y & 0xffff0000u)", "float(four.y << 16)"],
      [
        "bfloat16: a single value is a half's",
        "static_cast<unsigned>(bits) << 16",
        "static_cast<unsigned>(bits) << 15",
      ],
    ],
  ),
  ...mutationsOf(
    convert,
    ["BasicAttention", "BasicEmbedding"],
    [
      ["conversion: the last value is left out", "i < end; i++", "i + 1 < end; i++"],
      ["conversion: the last vector is overrun", "aligned && i + 4 <= count", "aligned && i < count"],
    ],
  ),
];

/** Defects of what reads and writes bfloat16. */
export const bf16Mutations: readonly Mutation[] = changed.map((mutation) => ({
  ...mutation,
  precision: "bf16",
}));

import { afterAll, expect, it } from "vitest";

import { noticed } from "./mutate.js";
import { attentionMutations } from "./mutations/attention-and-losses.js";
import { bf16Mutations } from "./mutations/bf16.js";
import { elementMutations } from "./mutations/elements-and-updates.js";
import { operationMutations } from "./mutations/operations.js";
import { rowMutations } from "./mutations/rows-and-products.js";
import { tensorMutations } from "./mutations/tensor-attention.js";

const mutations = [
  ...rowMutations,
  ...elementMutations,
  ...attentionMutations,
  ...tensorMutations,
  ...operationMutations,
  ...bf16Mutations,
];
const caught: string[] = [];

it.each(mutations.map((mutation) => [mutation.title, mutation] as const))(
  "%s: is noticed",
  async (title, mutation) => {
    expect(await noticed(mutation)).toBeDefined();
    caught.push(title);
  },
);

afterAll(() => {
  process.stdout.write(`mutations of CUDA kernels: ${caught.length} of ${mutations.length} caught\n`);
});

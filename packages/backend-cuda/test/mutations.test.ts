import { expect, it } from "vitest";

import { attentionMutations } from "./mutations/attention-and-losses.js";
import { bf16Mutations } from "./mutations/bf16.js";
import { elementMutations } from "./mutations/elements-and-updates.js";
import { mutated } from "./mutations/mutation.js";
import { operationMutations } from "./mutations/operations.js";
import { rowMutations } from "./mutations/rows-and-products.js";
import { tensorMutations } from "./mutations/tensor-attention.js";

it("mutations fit the sources, each under its own title", () => {
  const all = [
    ...rowMutations,
    ...elementMutations,
    ...attentionMutations,
    ...tensorMutations,
    ...operationMutations,
    ...bf16Mutations,
  ];
  for (const mutation of all) expect(mutated(mutation)).not.toBe(mutation.text);
  expect(new Set(all.map(({ title }) => title)).size).toBe(all.length);
});

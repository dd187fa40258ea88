import { expect, it } from "vitest";

import { runRecipe } from "../src/run-recipe.js";

it("trains a recipe on the extended backend", async () => {
  const { first, last, ownKernelCalls } = await runRecipe();
  expect(first.loss).toBeGreaterThan(1.5);
  expect(last.loss).toBeLessThan(0.2);
  // Two norms in the block and one at the end, each step.
  expect(ownKernelCalls).toBe(30 * 3);
});

import { expect, it } from "vitest";

import { accumulate } from "./accumulate.js";

it("takes tensors of one shape only", () => {
  expect(accumulate.infer({ sum: [2, 3], term: [2, 3] }, {})).toEqual([[2, 3]]);
  expect(() => accumulate.infer({ sum: [2, 3], term: [3, 2] }, {})).toThrow(
    "accumulate: `sum` and `term` must have one shape, got [2, 3] and [3, 2].",
  );
  expect(() => accumulate.infer({ sum: [2], term: [2, 1] }, {})).toThrow("got [2] and [2, 1]");
});

import { expect, it } from "vitest";
import { z } from "zod";

import { explainIssues } from "./explain-issues.js";

const schema = z.strictObject({
  name: z.string(),
  steps: z.number().positive(),
  kind: z.enum(["a", "b"]),
  list: z.array(z.strictObject({ size: z.int() })),
});

function explain(input: unknown): readonly string[] {
  const { error } = schema.safeParse(input);
  return error === undefined ? [] : explainIssues(error, input).split("\n");
}

it("says what was given at each place, and no value where there is none", () => {
  expect(explain({ steps: Number.NaN, kind: "c", list: [{ size: 1.5 }], extra: 1 })).toEqual([
    '✖ Unrecognized key: "extra"',
    "✖ Invalid input: expected string, received undefined",
    "  → at name",
    "✖ Invalid input: expected number, received NaN, got NaN",
    "  → at steps",
    '✖ Invalid option: expected one of "a"|"b", got "c"',
    "  → at kind",
    "✖ Invalid input: expected int, received number, got 1.5",
    "  → at list[0].size",
  ]);
  expect(explain(7)).toEqual(["✖ Invalid input: expected object, received number, got 7"]);
});

it("shortens long values", () => {
  const [line] = explain({ name: "x".repeat(99).split(""), steps: 1, kind: "a", list: [] });
  expect(line).toHaveLength("✖ Invalid input: expected string, received array, got ".length + 60);
  expect(line).toMatch(/, got \["x","x",.+…$/);
});

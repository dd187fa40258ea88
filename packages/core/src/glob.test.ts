import fc from "fast-check";
import { expect, it } from "vitest";

import { matchesGlob } from "./glob.js";

it("takes * for any letters, ? for one, and the whole name", () => {
  expect(matchesGlob("model.layers.0.mlp.up_proj", "*.mlp.*")).toBe(true);
  expect(matchesGlob("model.layers.0.mlp", "*.mlp.*")).toBe(false);
  expect(matchesGlob("layers.10", "layers.?")).toBe(false);
  expect(matchesGlob("layers.1", "layers.?")).toBe(true);
  expect(matchesGlob("", "*")).toBe(true);
  expect(matchesGlob("a+b", "a+b")).toBe(true);
});

it("agrees with a regular expression", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", ".", "+"), maxLength: 10 });
  const patterns = fc.string({ unit: fc.constantFrom("a", "b", ".", "+", "*", "?"), maxLength: 8 });
  fc.assert(
    fc.property(letters, patterns, (name, pattern) => {
      const source = pattern.replace(/[.+]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
      expect(matchesGlob(name, pattern)).toBe(new RegExp(`^${source}$`).test(name));
    }),
    { numRuns: 2000 },
  );
});

import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";

import { resolveEngine } from "../src/engine.js";
import { native } from "../src/native.js";
import { start } from "../src/start.js";
import { canaryArrays } from "./fuzz/arguments.js";
import { CALLS, NOT_FUZZED } from "./fuzz/calls.js";
import { plans, problemOf } from "./fuzz/check.js";

beforeAll(async () => {
  await start({ threads: 2, engine: resolveEngine(undefined) ?? "native" });
});

it("knows every exported function", () => {
  expect([...Object.keys(CALLS), ...NOT_FUZZED].sort()).toEqual(Object.keys(native()).sort());
});

it.each(Object.keys(CALLS) as (keyof typeof CALLS)[])(
  "%s keeps to its arrays and refuses wrong calls in words",
  (name) => {
    fc.assert(
      fc.property(plans(name), (plan) => {
        expect(problemOf(native(), plan, canaryArrays(plan.shift))).toBeUndefined();
      }),
      { numRuns: 60, seed: 20 },
    );
  },
);

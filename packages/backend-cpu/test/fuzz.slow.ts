// Calls of every exported function, right and wrong ones, on every instruction set of this CPU, in f32 and bf16.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { native } from "../src/native.js";
import { start } from "../src/start.js";
import { leakCounters } from "./compare.js";
import { canaryArrays } from "./fuzz/arguments.js";
import { plans, problemOf } from "./fuzz/check.js";
import { changes, contracts, foreignError } from "./fuzz/contracts.js";

describe.each(native().instructionSets())("%s", (instructionSet) => {
  it.each(["f32", "bf16"] as const)("calls in %s keep to their arrays", async (precision) => {
    await start({ threads: 2, instructionSet, precision });
    fc.assert(
      fc.property(plans(), (plan) => {
        expect(problemOf(native(), plan, canaryArrays(plan.shift))).toBeUndefined();
      }),
      { numRuns: 10_000, seed: 23 },
    );
  });

  it("contracts refuse wrong calls with a BasicError, and keep no memory", async () => {
    await start({ threads: 2, instructionSet, precision: "f32" });
    const before = leakCounters();
    for (const contract of contracts.values()) {
      fc.assert(
        fc.property(changes(contract), (change) => {
          expect(foreignError(change)).toBeUndefined();
        }),
        { numRuns: 400, seed: 24 },
      );
    }
    expect(leakCounters()).toEqual(before);
  });
});

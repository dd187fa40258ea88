import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { learningRateFactor, resolveWarmup } from "./schedule.js";

interface GoldenSchedule {
  readonly warmup_steps: number;
  readonly total_steps: number;
  readonly min_ratio: number;
  readonly multiplier: readonly number[];
}

const goldenFile = new URL("../../../../golden/ops/cosine_schedule.json", import.meta.url);
const { schedules } = JSON.parse(readFileSync(goldenFile, "utf8")) as { schedules: GoldenSchedule[] };

describe("learningRateFactor", () => {
  it.each(schedules)("equals the recorded cosine of %j", (golden) => {
    const schedule = {
      kind: "cosine" as const,
      steps: golden.total_steps,
      warmupSteps: golden.warmup_steps,
      floor: golden.min_ratio,
    };
    for (const [step, multiplier] of golden.multiplier.entries()) {
      expect(learningRateFactor(step, schedule)).toBeCloseTo(multiplier, 12);
    }
  });

  it("falls on a straight line to the floor", () => {
    const schedule = { kind: "linear", steps: 10, warmupSteps: 0, floor: 0.5 } as const;
    expect([0, 5, 10, 12].map((step) => learningRateFactor(step, schedule))).toEqual([1, 0.75, 0.5, 0.5]);
  });

  it("stays at 1 after the warm-up when constant", () => {
    const schedule = { kind: "constant", steps: 10, warmupSteps: 2, floor: 0 } as const;
    expect([0, 1, 2, 9].map((step) => learningRateFactor(step, schedule))).toEqual([0, 0.5, 1, 1]);
  });
});

describe("resolveWarmup", () => {
  it("takes steps as they are and rounds a ratio up", () => {
    expect(resolveWarmup(7, 100)).toBe(7);
    expect(resolveWarmup({ ratio: 0.03 }, 110)).toBe(4);
  });
});

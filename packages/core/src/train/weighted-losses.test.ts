import { describe, expect, it } from "vitest";

import { visualLosses } from "../losses/built-in.js";
import { createRandom } from "../random.js";
import type { LossFactory } from "../registry.js";
import { createWeightedLosses, type LossSetting, weightAtStep } from "./weighted-losses.js";

function setting(weight: number, more: Partial<LossSetting> = {}): LossSetting {
  return { weight, start: 0, ramp: 0, options: {}, ...more };
}

describe("weightAtStep", () => {
  it("is the weight at once without start and ramp", () => {
    expect(weightAtStep(setting(0.5), 0)).toBe(0.5);
  });

  it("is 0 before the start and grows on a straight line", () => {
    const late = setting(2, { start: 10, ramp: 4 });
    expect([0, 9, 10, 11, 14, 99].map((step) => weightAtStep(late, step))).toEqual([0, 0, 0, 0.5, 2, 2]);
  });
});

describe("createWeightedLosses", () => {
  const context = { width: 4, depth: 2, features: 3, random: createRandom(0) };
  const find = (name: string): LossFactory => visualLosses[name] as LossFactory;
  const supervision = { normalise: "sum", stopGradient: true, vocabulary: "input" } as const;
  const at = (stage: string, step: number) => ({ stage, step, steps: 100 });

  it("keeps one loss where two stages share it, with a weight per stage", () => {
    const made = createWeightedLosses(
      {
        align: { language: setting(1), direction: setting(1) },
        finetune: { direction: setting(0.05), "das-nce": setting(0.1) },
      },
      { supervision, context, find },
    );
    expect(made.map(({ loss }) => loss.name)).toEqual(["direction", "das-nce"]);
    expect(made.map(({ weightAt }) => weightAt(at("align", 0)))).toEqual([1, null]);
    expect(made.map(({ weightAt }) => weightAt(at("finetune", 0)))).toEqual([0.05, 0.1]);
  });

  it("makes two losses where their options differ", () => {
    const made = createWeightedLosses(
      {
        align: { direction: setting(1) },
        finetune: { direction: setting(1, { options: { normalise: "uniform" } }) },
      },
      { supervision, context, find },
    );
    expect(made.map(({ loss }) => loss.needs.patchWeights)).toEqual([true, false]);
  });
});

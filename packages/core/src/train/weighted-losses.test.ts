import { describe, expect, it } from "vitest";

import { visualLosses } from "../losses/built-in.js";
import { createRandom } from "../random.js";
import type { LossFactory } from "../registry.js";
import { createWeightedLosses, type LossSetting, languageWeight, weightAtStep } from "./weighted-losses.js";

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

describe("languageWeight", () => {
  it("follows start and ramp of each stage, and is 1 where a stage says nothing", () => {
    const weightAt = languageWeight({
      align: { language: setting(2, { start: 4, ramp: 4 }) },
      finetune: { direction: setting(1) },
    });
    const align = [0, 4, 6, 8, 99].map((step) => weightAt({ stage: "align", step, steps: 100 }));
    expect(align).toEqual([0, 0, 1, 2, 2]);
    expect(weightAt({ stage: "finetune", step: 0, steps: 100 })).toBe(1);
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

  it("names a loss as the recipe does, whatever it calls itself", () => {
    const plugin: LossFactory = (given) => (visualLosses["direction"] as LossFactory)(given);
    const made = createWeightedLosses(
      { align: { direction: setting(1), "my-direction": setting(1) } },
      { supervision, context, find: (name) => (name === "my-direction" ? plugin : find(name)) },
    );
    expect(made.map(({ name, loss }) => [name, loss.name])).toEqual([
      ["direction", "direction"],
      ["my-direction", "direction"],
    ]);
  });

  it("refuses options of the language loss", () => {
    const stages = { align: { language: setting(1, { options: { smoothing: 0.1 } }) } };
    expect(() =>
      createWeightedLosses(stages, { supervision, context, find }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The loss "language" of stage "align" has no options, got smoothing. Remove them; \`weight\`, \`start\` and \`ramp\` stand beside \`options\`. [E_RECIPE_INVALID]]`,
    );
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

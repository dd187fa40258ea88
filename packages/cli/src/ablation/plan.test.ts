import { quickstart } from "@basic-mllm/recipes";
import { describe, expect, it } from "vitest";

import { chooseVariants, planRuns } from "./plan.js";

const input = { recipe: quickstart, seeds: [0, 7], out: "runs/a" };

describe("planRuns", () => {
  it("pairs every variant with every seed, whole comparisons first", () => {
    const plan = planRuns({ ...input, variants: chooseVariants(["none", "both-finetune-only"], undefined) });
    expect(plan.map(({ out }) => out)).toEqual([
      "runs/a/none-0",
      "runs/a/both-finetune-only-0",
      "runs/a/none-7",
      "runs/a/both-finetune-only-7",
    ]);
    const weights = plan.map(({ recipe }) =>
      Object.values(recipe.stages).map(({ losses }) =>
        Object.entries(losses).map(([name, { weight }]) => `${weight} ${name}`),
      ),
    );
    expect(weights[0]).toEqual([["1 language"], ["1 language"]]);
    expect(weights[1]).toEqual([["1 language"], ["1 language", "1 direction", "0.01 distribution"]]);
    expect(plan[3]?.recipe).toMatchObject({
      name: "quickstart-both-finetune-only",
      seed: 7,
      evaluation: { blind: false },
    });
  });

  it("takes a seed that is named twice once", () => {
    const plan = planRuns({ ...input, seeds: [3, 0, 3], variants: chooseVariants(["none"], undefined) });
    expect(plan.map(({ seed }) => seed)).toEqual([3, 0]);
  });

  it("applies the fields and steps of a variant", () => {
    const variants = chooseVariants([], "paper:layer-weights");
    const [first] = planRuns({ ...input, variants, steps: 3 });
    expect(first?.recipe).toMatchObject({
      supervision: { layerWeights: "decreasing" },
      stages: { align: { steps: 3 }, finetune: { steps: 3 } },
    });
  });

  it("says which stage a recipe lacks", () => {
    const recipe = {
      ...quickstart,
      stages: { finetune: quickstart.stages["finetune"] },
    } as typeof quickstart;
    expect(() =>
      planRuns({ ...input, recipe, variants: chooseVariants(["das"], undefined) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Variant "das" sets the losses of stage "align", and recipe "quickstart" has the stages finetune. Name its stages align and finetune. [E_RECIPE_INVALID]]`,
    );
  });
});

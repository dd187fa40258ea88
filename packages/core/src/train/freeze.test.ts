import { beforeAll, describe, expect, it } from "vitest";

import { regressionRecipe, startStockCpu } from "../../test/regression.js";
import { Parameter, ParameterSet } from "../parameters.js";
import type { RecipeStage } from "../recipe.js";
import { freezeGroups, trainedGroups } from "./freeze.js";

beforeAll(startStockCpu);

function makeGroups(...names: string[]): Record<string, ParameterSet> {
  return Object.fromEntries(
    names.map((name) => {
      const set = new ParameterSet();
      set.add(new Parameter(`${name}.weight`, new Float32Array(1), [1]));
      return [name, set];
    }),
  );
}

const stageWith = (fields: Partial<RecipeStage>): RecipeStage => ({
  ...(regressionRecipe().stages["align"] as RecipeStage),
  ...fields,
});

describe("freezeGroups", () => {
  it("trains what the stage names and freezes the rest", () => {
    const groups = makeGroups("vision", "projector", "language");
    const [projector, ...others] = freezeGroups(stageWith({ train: ["projector"] }), groups);
    expect(projector).toMatchObject({ name: "projector", learningRate: 0.05, weightDecay: 0 });
    expect(others).toEqual([]);
    const trainable = Object.entries(groups).map(([name, set]) => [
      name,
      [...set].every((one) => one.trainable),
    ]);
    expect(Object.fromEntries(trainable)).toEqual({ vision: false, projector: true, language: false });
  });

  it("trains the losses' own weights with the projector, at its rates", () => {
    const stage = stageWith({
      train: ["projector", "language"],
      learningRate: { projector: 1e-3, language: 2e-5 },
      weightDecay: { projector: 0.1 },
    });
    const groups = freezeGroups(stage, makeGroups("projector", "language", "losses"));
    expect(groups.map(({ name, learningRate, weightDecay }) => [name, learningRate, weightDecay])).toEqual([
      ["projector", 1e-3, 0.1],
      ["language", 2e-5, 0],
      ["losses", 1e-3, 0.1],
    ]);
  });

  it("leaves the losses' own weights alone where the projector is frozen", () => {
    const groups = makeGroups("projector", "language", "losses");
    expect(trainedGroups(stageWith({ train: ["language"] }), groups)).toEqual(["language"]);
  });

  it("refuses packed weights before anything trains", () => {
    const set = new ParameterSet();
    set.add(new Parameter("fc.weight", { storage: "bf16", words: new Int32Array(1) }, [1, 2]));
    const call = () => trainedGroups(stageWith({ train: ["language"] }), { language: set });
    expect(call).toThrow(/"fc.weight" is stored as bf16 and cannot train.*E_CONFIG/);
  });
});

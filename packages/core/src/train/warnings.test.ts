import { describe, expect, it } from "vitest";

import { regressionRecipe } from "../../test/regression.js";
import type { LossWeight } from "../recipe.js";
import type { TrainLine } from "./metrics.js";
import { createWatch } from "./warnings.js";

const loss = (weight: number, ramp = 0): LossWeight => ({ weight, start: 0, ramp, options: {} });
const losses = { direction: loss(1, 10), "das-nce": loss(0.1) };
const stages = Object.fromEntries(
  Object.entries(regressionRecipe().stages).map(([name, stage]) => [name, { ...stage, losses }]),
);

function line(stage: string, step: number, diagnostics: Record<string, number>): TrainLine {
  const numbers = { loss: 1, learningRate: 1, gradientNorm: 1, tokensPerSecond: 1, stepMs: 1 };
  const parts = { language: 1, direction: 1, "das-nce": 1 };
  return { kind: "train", stage, step, globalStep: step, ...numbers, parts, weighted: parts, diagnostics };
}

describe("createWatch", () => {
  it("judges the strength of a loss at the first line where it has its full weight", () => {
    const watch = createWatch([], stages);
    const at = (step: number, ratioDirection: number) =>
      watch.look(line("align", step, { ratioDirection })).map(({ name }) => name);
    expect(at(1, 0)).toEqual([]);
    expect(at(10, 0.5)).toEqual([]); // λ is 0.9 of its full weight
    expect(at(11, 0.6)).toEqual(["strong-supervision"]);
    expect(at(20, 0.9)).toEqual([]);
  });

  it("judges a loss without a ramp, and one that the recipe does not know, at the first line", () => {
    for (const name of ["ratioDasNce", "ratioLanguage"]) {
      const [warning] = createWatch([], stages).look(line("align", 1, { [name]: 0.8 }));
      expect(warning?.text).toContain(`${name} 0.80`);
    }
    expect(createWatch([], stages).look(line("align", 1, { ratioDasNce: 0.1 }))).toEqual([]);
  });

  it("looks for a collapse within a stage: another batch size has other numbers of matches", () => {
    const watch = createWatch([], stages);
    const at = (stage: string, step: number, distinctMatches: number) =>
      watch
        .look(line(stage, step, { cosine: 0.95, distinctMatches, ratioDirection: 0.1 }))
        .map(({ name }) => name);
    expect(at("align", 1, 90)).toEqual([]);
    expect(at("finetune", 1, 40)).toEqual([]);
    expect(at("finetune", 2, 19)).toEqual(["direction-collapse"]);
  });

  it("goes on after a resume as if nothing had happened", () => {
    const lines = [line("align", 1, { cosine: 0.95, distinctMatches: 90, ratioDirection: 0.1 })];
    const watch = createWatch(lines, stages);
    const next = line("align", 2, { cosine: 0.95, distinctMatches: 30, ratioDirection: 0.1 });
    expect(watch.look(next).map(({ name }) => name)).toEqual(["direction-collapse"]);
    expect(createWatch([...lines, next], stages).look(next)).toEqual([]);
  });
});

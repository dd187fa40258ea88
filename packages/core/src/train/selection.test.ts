import { beforeAll, describe, expect, it } from "vitest";

import { regressionRecipe, startStockCpu } from "../../test/regression.js";
import { Parameter, ParameterSet } from "../parameters.js";
import type { RecipeStage } from "../recipe.js";
import { checkSelection, frozenParts, selectParameters, trainedParts, trainedShare } from "./selection.js";

beforeAll(startStockCpu);

const stageWith = (train: readonly string[]): RecipeStage => ({
  ...(regressionRecipe().stages["align"] as RecipeStage),
  train: [...train],
});

function makeGroups() {
  const language = [0, 1, 2, 10].flatMap((block) => [
    `model.layers.${block}.self_attn.q_proj.weight`,
    `model.layers.${block}.mlp.up_proj.weight`,
  ]);
  const all = {
    vision: ["vision_model.encoder.layers.0.fc1.weight", "vision_model.encoder.layers.1.fc1.weight"],
    projector: ["linear_1.weight"],
    language: ["model.embed_tokens.weight", ...language, "model.norm.weight"],
    losses: ["temperature"],
  };
  return Object.fromEntries(
    Object.entries(all).map(([group, names]) => {
      const set = new ParameterSet();
      for (const name of names) set.add(new Parameter(name, new Float32Array(1), [1]));
      return [group, set];
    }),
  );
}

const chosen = (...train: string[]) =>
  selectParameters(stageWith(train), makeGroups()).map(({ entry, parameters }) => [
    entry,
    parameters.map(({ name }) => name),
  ]);

describe("selectParameters", () => {
  it("takes whole groups, in the model's order", () => {
    expect(chosen("projector", "vision").map(([entry]) => entry)).toEqual(["vision", "projector", "losses"]);
  });

  it("takes blocks as Python slices lists", () => {
    const blocks = (text: string) =>
      chosen(`language.blocks[${text}]/*up_proj*`).flatMap(([, names]) =>
        (names as string[]).map((name) => Number(name.split(".")[2])),
      );
    expect(blocks("2:")).toEqual([2, 10]);
    expect(blocks(":2")).toEqual([0, 1]);
    expect(blocks("1:3")).toEqual([1, 2]);
    expect(blocks("-1:")).toEqual([10]);
    expect(blocks(":")).toEqual([0, 1, 2, 10]);
    expect(blocks(":-1")).toEqual([0, 1, 2]);
  });

  it("leaves constants out, and knows that they are frozen", () => {
    const projector = new ParameterSet();
    projector.add(new Parameter("3.weight", new Float32Array(1), [1]));
    projector.add(new Parameter("vocabulary", new Float32Array(1), [1], { constant: true }));
    const stage = stageWith(["projector"]);
    const [selected] = selectParameters(stage, { projector });
    expect(selected?.parameters.map(({ name }) => name)).toEqual(["3.weight"]);
    expect([...(frozenParts([stage], { projector })["projector"] ?? [])].map(({ name }) => name)).toEqual([
      "vocabulary",
    ]);
    expect(() => checkSelection(stageWith(["projector/vocab*"]), { projector })).toThrow(/E_NAME_UNKNOWN/);
  });

  it("takes names by pattern", () => {
    expect(chosen("language/*.norm.*", "vision.blocks[1:]")).toEqual([
      ["vision.blocks[1:]", ["vision_model.encoder.layers.1.fc1.weight"]],
      ["language/*.norm.*", ["model.norm.weight"]],
    ]);
  });

  it("gives what two entries choose to the later one", () => {
    const counts = (...train: string[]) =>
      Object.fromEntries(chosen(...train).map(([entry, names]) => [entry, names?.length]));
    expect(counts("language", "language.blocks[2:]")).toEqual({ language: 6, "language.blocks[2:]": 4 });
    expect(counts("language.blocks[2:]", "language")).toEqual({ language: 10 });
  });

  it("trains the losses' own weights with a part of the projector too", () => {
    expect(chosen("projector/*.weight").map(([entry]) => entry)).toEqual(["projector/*.weight", "losses"]);
  });
});

describe("trainedParts and frozenParts", () => {
  it("share a model between them", () => {
    const groups = makeGroups();
    const stages = [stageWith(["projector"]), stageWith(["language.blocks[2:]"])];
    const sizes = (parts: Record<string, ParameterSet>) =>
      Object.fromEntries(Object.entries(parts).map(([name, set]) => [name, set.count]));
    expect(sizes(trainedParts(stages, groups))).toEqual({ projector: 1, language: 4, losses: 1 });
    expect(sizes(frozenParts(stages, groups))).toEqual({ vision: 2, language: 6 });
  });
});

describe("trainedShare", () => {
  it("reads the words of a recipe", () => {
    const share = (group: string) => trainedShare({ train: ["projector", "language.blocks[1:]"] }, group);
    expect(["projector", "language", "vision"].map(share)).toEqual(["whole", "part", "none"]);
  });
});

describe("checkSelection", () => {
  const problemOf = (text: string): string => {
    try {
      checkSelection(stageWith([text]), makeGroups());
    } catch (error) {
      return (error as Error).message;
    }
    return "none";
  };

  it("names the groups where there is none of that name", () => {
    expect(problemOf("langage.blocks[2:]")).toMatchInlineSnapshot(
      `"There is no parameter group "langage" to train. Did you mean "language"? Known: vision, projector, language, losses. [E_NAME_UNKNOWN]"`,
    );
  });

  it("says what a group has where a pattern chooses nothing", () => {
    expect(problemOf("language.blocks[11:]")).toMatchInlineSnapshot(
      `""language.blocks[11:]" chooses none of the 10 parameters of "language", which has 11 blocks and names such as model.embed_tokens.weight, model.layers.0.self_attn.q_proj.weight, model.layers.0.mlp.up_proj.weight. Groups: vision, projector, language, losses. Blocks count from 0: language.blocks[2:]; patterns match whole names: language/*.mlp.*. [E_NAME_UNKNOWN]"`,
    );
    expect(problemOf("language/*.k_proj.*")).toContain(
      '"language/*.k_proj.*" chooses none of the 10 parameters',
    );
    expect(problemOf("projector.blocks[0:]")).toContain('of "projector", which has 0 blocks');
  });

  it("says how a choice is written", () => {
    expect(problemOf("language.blocks[1]")).toMatchInlineSnapshot(
      `""language.blocks[1]" is no choice of parameters: write a group such as language, some of its blocks (language.blocks[12:]), or a pattern of names after a slash (language/*.mlp.*). [E_RECIPE_INVALID]"`,
    );
    for (const text of ["language.", "language.layers[1:]", "/a", "language/"]) {
      expect(problemOf(text)).toContain("is no choice of parameters");
    }
  });

  it("accepts what chooses something", () => {
    for (const text of ["vision", "language.blocks[:]", "losses", "language/*"]) {
      expect(problemOf(text)).toBe("none");
    }
  });
});

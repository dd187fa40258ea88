import { parseRecipe } from "@basic-mllm/core";
import { describe, expect, it } from "vitest";

import { lossVariants, presets, recipes } from "./index.js";

describe.each(Object.entries(recipes))("%s", (name, recipe) => {
  it("carries its own name", () => {
    expect(recipe.name).toBe(name);
  });

  it("is unchanged when it is read again", () => {
    expect(parseRecipe(JSON.parse(JSON.stringify(recipe)))).toEqual(recipe);
  });

  it("expands to what a reviewer has seen", async () => {
    await expect(`${JSON.stringify(recipe, null, 2)}\n`).toMatchFileSnapshot(`./__golden__/${name}.json`);
  });
});

describe("ablation variants", () => {
  it("have names of their own", () => {
    const names = lossVariants.map((variant) => variant.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("name every visual loss that ships", () => {
    const used = new Set(
      lossVariants.flatMap((variant) =>
        Object.values(variant.losses ?? {}).flatMap((losses) => Object.keys(losses)),
      ),
    );
    expect([...used].sort()).toEqual([
      "das-nce",
      "direction",
      "distribution",
      "emu-l2",
      "smooth-l1",
      "viral-cos",
      "viral-gram",
      "vw-kl",
    ]);
  });

  it("repeat the rows of the paper's tables", () => {
    const names = Object.fromEntries(
      Object.entries(presets).map(([name, variants]) => [name, variants.map((v) => v.name)]),
    );
    expect(names).toEqual({
      "paper:losses": ["none", "das", "sds", "both"],
      "paper:layer-weights": ["decreasing", "constant", "increasing"],
      "paper:patch-weights": ["uniform", "none"],
    });
  });
});

// The weights that ship say what made them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tinyEncoder, tinyLm } from "@basic-mllm/recipes";
import { describe, expect, it } from "vitest";

const weights = join(import.meta.dirname, "../../tiny/weights");

describe.each([
  ["encoder", tinyEncoder],
  ["language", tinyLm],
] as const)("the shipped %s", (folder, recipe) => {
  it("names the recipe as it is today, and the commit that trained it", () => {
    const provenance = JSON.parse(readFileSync(join(weights, folder, "provenance.json"), "utf8"));
    const recipeHash = createHash("sha256").update(JSON.stringify(recipe)).digest("hex");
    expect(provenance).toMatchObject({ recipe: recipe.name, recipeHash });
    expect(provenance.commit).toMatch(/^[0-9a-f]{40}$/);
    expect(Object.keys(provenance.metrics).length).toBeGreaterThan(0);
  });
});

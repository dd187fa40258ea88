import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quickstart } from "@basic-mllm/recipes";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";

import { loadRecipe } from "./load-recipe.js";

const RECIPE = {
  name: "mine",
  model: { vision: "tiny-siglip", language: "tiny-llama" },
  data: { train: { align: "a" } },
  stages: { align: { train: ["projector"], steps: 3, learningRate: 1e-3 } },
};

describe("loadRecipe", () => {
  let folder: string;
  const write = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  const problem = async (file: string): Promise<string> => {
    const error: unknown = await loadRecipe(file).catch((reason: unknown) => reason);
    return String(error).replaceAll(folder, "FOLDER");
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-recipe-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("finds a shipped recipe by its name and changes fields", async () => {
    expect(await loadRecipe("quickstart")).toEqual(quickstart);
    const changed = await loadRecipe("quickstart", ["seed=3", "stages.align.losses.direction=0"]);
    expect(changed.seed).toBe(3);
    expect(changed.stages["align"]?.losses["direction"]?.weight).toBe(0);
  });

  it("reads JSON, YAML and TypeScript to the same recipe", async () => {
    const files = [
      await write("mine.json", JSON.stringify(RECIPE)),
      await write("mine.yaml", stringify(RECIPE)),
      await write("mine.mjs", `export const recipe = ${JSON.stringify(RECIPE)};`),
      await write("mine.ts", `const steps: number = 3;\nexport default ${JSON.stringify(RECIPE)};`),
    ];
    const loaded = await Promise.all(files.map((file) => loadRecipe(file)));
    for (const recipe of loaded) expect(recipe).toEqual(loaded[0]);
    expect(loaded[0]).toMatchObject({ name: "mine", task: "vlm", seed: 0, backend: "cpu" });
  });

  it("offers the nearest name for an unknown recipe, and names the endings of files", async () => {
    expect(await problem("smok")).toMatchInlineSnapshot(
      `"BasicError: There is no recipe "smok". Did you mean "smoke"? Known: quickstart, smoke, smollm2, tiny-encoder, tiny-lm; or give a file that ends in .ts, .mts, .js, .mjs, .yaml, .yml, .json. [E_RECIPE_UNKNOWN]"`,
    );
    expect(await problem(await write("mine.toml", ""))).toMatchInlineSnapshot(
      `"BasicError: There is no recipe "FOLDER/mine.toml". Known: quickstart, smoke, smollm2, tiny-encoder, tiny-lm; or give a file that ends in .ts, .mts, .js, .mjs, .yaml, .yml, .json. [E_RECIPE_UNKNOWN]"`,
    );
  });

  it("takes no name of what every object has for a recipe", async () => {
    for (const name of ["constructor", "toString"]) {
      expect(await problem(name)).toContain(`There is no recipe "${name}".`);
    }
  });

  it("says that there is no such file where the name ends as a file does", async () => {
    expect((await problem("smok.yaml")).replace(process.cwd(), "HERE")).toBe(
      "BasicError: There is no such file: smok.yaml, looked for in HERE. Correct the path of the recipe. [E_RECIPE_UNKNOWN]",
    );
  });

  it("says what is wrong with a file", async () => {
    // Node words the reason.
    expect(await problem(await write("broken.json", "{"))).toMatch(
      /^BasicError: FOLDER\/broken\.json could not be read: .*JSON.* \[E_RECIPE_INVALID\]$/,
    );
    expect(await problem(await write("empty.mjs", "export const a = 1, b = 2;"))).toMatchInlineSnapshot(
      `"BasicError: FOLDER/empty.mjs exports a, b. Export one recipe: export const recipe = defineRecipe({ … }). [E_RECIPE_INVALID]"`,
    );
    expect(await problem(await write("throws.mjs", "throw new Error('no');"))).toMatchInlineSnapshot(
      `"BasicError: FOLDER/throws.mjs could not be loaded: no [E_RECIPE_INVALID]"`,
    );
    expect(
      await problem(await write("typo.yaml", stringify({ ...RECIPE, modle: 1 }))),
    ).toMatchInlineSnapshot(`
      "BasicError: Recipe "mine" is not valid.
      ✖ Unrecognized key: "modle"
        "modle": Did you mean "model"? [E_RECIPE_INVALID]"
    `);
  });
});

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { applyOverrides, BasicError, didYouMean, parseRecipe, type Recipe } from "@basic-mllm/core";
import { recipes } from "@basic-mllm/recipes";
import { createJiti } from "jiti";
import { parse as parseYaml } from "yaml";

import { lookForPluginsIn } from "./plugins.js";

/** Endings of files that hold a recipe. */
const ENDINGS = [".ts", ".mts", ".js", ".mjs", ".yaml", ".yml", ".json"];

/**
 * A recipe by its name or file, with `--set` applied.
 *
 * @param nameOrFile - A recipe that ships with us, or a TypeScript, JavaScript, YAML or JSON file.
 * @param overrides - `path.to.field=value` each.
 * @throws `BasicError` `E_RECIPE_UNKNOWN` where there is no such recipe, `E_RECIPE_INVALID` where it is wrong.
 */
export async function loadRecipe(nameOrFile: string, overrides: readonly string[] = []): Promise<Recipe> {
  const shipped = Object.hasOwn(recipes, nameOrFile) ? recipes[nameOrFile] : undefined;
  const recipe = shipped ?? parseRecipe(await readRecipeFile(nameOrFile));
  return overrides.length === 0 ? recipe : applyOverrides(recipe, overrides);
}

async function readRecipeFile(file: string): Promise<unknown> {
  const ending = extname(file);
  if (!existsSync(file) || !ENDINGS.includes(ending)) throw unknownRecipe(file);
  lookForPluginsIn(dirname(file));
  if (ending === ".json") return parseFile(file, JSON.parse);
  if (ending === ".yaml" || ending === ".yml") return parseFile(file, parseYaml);
  const module = await importRecipe(file);
  const exported = Object.values(module).filter((value) => typeof value === "object" && value !== null);
  const found = module["recipe"] ?? module["default"] ?? (exported.length === 1 ? exported[0] : undefined);
  if (found !== undefined) return found;
  throw new BasicError(
    "E_RECIPE_INVALID",
    `${file} exports ${Object.keys(module).join(", ") || "nothing"}. Export one recipe: export const recipe = defineRecipe({ … }).`,
  );
}

async function importRecipe(file: string): Promise<Record<string, unknown>> {
  try {
    return await createJiti(import.meta.url, { interopDefault: false }).import<Record<string, unknown>>(
      resolve(file),
    );
  } catch (error) {
    if (error instanceof Error && error.name === "BasicError") throw error;
    throw new BasicError(
      "E_RECIPE_INVALID",
      `${file} could not be loaded: ${text(error)}${installAdvice(error)}`,
      { cause: error },
    );
  }
}

/** A TypeScript recipe imports our packages from its own folder. */
function installAdvice(error: unknown): string {
  return /Cannot find (?:module|package) '@basic-mllm\//.test(text(error))
    ? ". Install it beside the recipe (npm install @basic-mllm/core), move the recipe into the clone, or write it as YAML or JSON, which imports nothing."
    : "";
}

async function parseFile(file: string, parser: (text: string) => unknown): Promise<unknown> {
  try {
    return parser(await readFile(file, "utf8"));
  } catch (error) {
    throw new BasicError("E_RECIPE_INVALID", `${file} could not be read: ${text(error)}`, { cause: error });
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unknownRecipe(name: string): BasicError {
  if (ENDINGS.includes(extname(name))) {
    return new BasicError(
      "E_RECIPE_UNKNOWN",
      `There is no such file: ${name}, looked for in ${process.cwd()}. Correct the path of the recipe.`,
    );
  }
  const known = Object.keys(recipes);
  return new BasicError(
    "E_RECIPE_UNKNOWN",
    `There is no recipe "${name}".${didYouMean(name, known)} Known: ${known.join(", ")}; ` +
      `or give a file that ends in ${ENDINGS.join(", ")}.`,
  );
}

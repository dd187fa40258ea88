import { recipeJsonSchema } from "@basic-mllm/core";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { defineCliCommand } from "../command.js";
import { checkRecipe, type RecipeCheck } from "../session/check-recipe.js";
import { loadRecipe } from "../session/load-recipe.js";
import { printStartTable } from "../session/start-table.js";
import { prepare } from "../session/train-run.js";
import { decimals } from "../tables.js";
import { createTerminal, table } from "../terminal.js";

/** `basic-mllm check`: everything that can be wrong with a recipe, found before the first step. */
export const check = defineCliCommand({
  name: "check",
  description:
    "Check a recipe: fields, backend, models, data, labels and lengths. Exit code 1 where a run would stop.",
  args: {
    recipe: { type: "positional", description: "Recipe, or a file.", required: true },
    set: { type: "string", valueHint: "path=value", description: "Change a field first; may be repeated." },
    expand: {
      type: "boolean",
      description: "Print the recipe with every field to stdout, the rest to stderr.",
    },
    schema: { type: "boolean", description: "Print the JSON Schema of recipes, for editors, and stop." },
  },
  examples: [
    "basic-mllm check my-recipe.yaml",
    "basic-mllm check quickstart --expand",
    "basic-mllm check quickstart --schema > recipe.schema.json",
  ],
  run: async ({ args, repeated, terminal }) => {
    if (args.schema === true) {
      terminal.line(JSON.stringify(recipeJsonSchema(), null, 2));
      return 0;
    }
    const recipe = await loadRecipe(args.recipe, repeated("set"));
    if (args.expand === true) terminal.line(JSON.stringify(recipe, null, 2));
    // The recipe alone goes to stdout, so that it can be piped into a file.
    const people = args.expand === true ? createTerminal({ json: true }) : terminal;
    const backend = await prepare(recipe);
    const found = await checkRecipe({ recipe, terminal: people, cache: defaultCacheFolder() });
    printStartTable(people, { recipe, backend, parts: found.parts });
    if (found.stages.length > 0) people.line(setTable(found));
    for (const text of [...found.problems, ...found.warnings]) people.warn(text);
    if (found.problems.length === 0) people.line(pc.green("  no problems found"));
    terminal.result({ ...found, ...(args.expand === true && { recipe }) });
    return found.problems.length === 0 ? 0 : 1;
  },
});

function setTable({ stages, evaluation }: RecipeCheck): string {
  const measured = evaluation.map((found) => [
    `evaluation ${found.set}`,
    found.template,
    String(found.samples),
    String(found.imageRows),
    `${found.rows.min} to ${found.rows.max}`,
    "–",
    decimals(found.maskedShare, 2),
  ]);
  const trained = stages.map((found) => [
    found.stage,
    found.template,
    String(found.samples),
    String(found.imageRows),
    `${found.rows.min} to ${found.rows.max}`,
    `${found.batchRows} of ${found.rowBudget}`,
    decimals(found.maskedShare, 2),
  ]);
  return table(
    ["STAGE", "TEMPLATE", "LOOKED AT", "ROWS A PICTURE", "ROWS A SAMPLE", "ROWS A BATCH", "MASKED SHARE"],
    [...trained, ...measured],
  );
}

import { existsSync } from "node:fs";
import { BasicError } from "@basic-mllm/core";

import { defineCliCommand } from "../command.js";
import { writeText } from "../session/json-file.js";
import { loadRecipe } from "../session/load-recipe.js";

/** `basic-mllm cp`: a recipe of ours becomes a file of theirs. */
export const cp = defineCliCommand({
  name: "cp",
  description: "Copy a recipe to a TypeScript file that you own and edit.",
  args: {
    recipe: { type: "positional", description: "Recipe to copy.", required: true },
    file: { type: "positional", description: "File to write. Default: RECIPE.ts.", required: false },
    force: { type: "boolean", description: "Overwrite the file." },
  },
  examples: ["basic-mllm cp quickstart my-recipe.ts", "basic-mllm train my-recipe.ts"],
  run: async ({ args, terminal }) => {
    const recipe = await loadRecipe(args.recipe);
    const file = args.file ?? `${recipe.name}.ts`;
    if (existsSync(file) && args.force !== true) {
      throw new BasicError(
        "E_USAGE",
        `${file} exists already. Choose another name, or overwrite it with --force.`,
      );
    }
    const name = file.replace(/^.*\//, "").replace(/\.[^.]*$/, "");
    const body = JSON.stringify({ ...recipe, name }, null, 2).replace(/^(\s*)"([A-Za-z_]\w*)":/gm, "$1$2:");
    await writeText(
      file,
      `import { defineRecipe } from "@basic-mllm/core";\n\n/** A copy of ${recipe.name}, yours to edit. */\nexport const recipe = defineRecipe(${body});\n`,
    );
    terminal.line(`Wrote ${file}. Train it with: basic-mllm train ${file}`);
    terminal.result({ file, recipe: recipe.name });
    return 0;
  },
});

import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { BasicError } from "@basic-mllm/core";

import { defineCliCommand } from "../command.js";
import { writeText } from "../session/json-file.js";
import { loadRecipe } from "../session/load-recipe.js";
import { shellWord } from "../shell.js";

/** Of modules, which the copy is. */
const ENDINGS = [".ts", ".mts", ".js", ".mjs"];

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
    if (!ENDINGS.includes(extname(file))) {
      throw new BasicError(
        "E_USAGE",
        `basic-mllm cp: FILE must end in ${ENDINGS.join(", ")}, since a module is written, got "${file}". For JSON: basic-mllm check ${shellWord(args.recipe)} --expand > my-recipe.json.`,
      );
    }
    if (existsSync(file) && args.force !== true) {
      throw new BasicError(
        "E_USAGE",
        `${file} exists already. Choose another name, or overwrite it with --force.`,
      );
    }
    const name = nameOf(file) || recipe.name;
    const body = JSON.stringify({ ...recipe, name }, null, 2).replace(/^(\s*)"([A-Za-z_]\w*)":/gm, "$1$2:");
    await writeText(
      file,
      `import { defineRecipe } from "@basic-mllm/core";\n\n/** A copy of ${recipe.name}, yours to edit. */\nexport const recipe = defineRecipe(${body});\n`,
    );
    terminal.line(`Wrote ${file}. Train it with: basic-mllm train ${shellWord(file)}`);
    terminal.result({ file, recipe: recipe.name });
    return 0;
  },
});

/** The name of the file as recipes may be called: `My recipe.ts` is `my-recipe`. */
function nameOf(file: string): string {
  const name = basename(file, extname(file)).toLowerCase();
  return name.replace(/[^a-z0-9.-]+/g, "-").replace(/^[.-]+/, "");
}

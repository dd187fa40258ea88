import { encoders, languageModels, losses, projectors, type Recipe } from "@basic-mllm/core";
import { recipes } from "@basic-mllm/recipes";
import pc from "picocolors";

import { defineCliCommand } from "../command.js";
import { backendStatus } from "../session/backends.js";
import { isGguf, missingGguf } from "../session/gguf-model.js";
import { registerShippedParts } from "../session/parts.js";
import { table } from "../terminal.js";

/** `basic-mllm ls`: what can be named in a recipe, and what runs here. */
export const ls = defineCliCommand({
  name: "ls",
  description: "List recipes, models, projectors, losses and backends, and say which run here.",
  args: {},
  examples: ["basic-mllm ls", "basic-mllm ls --json"],
  run: async ({ terminal }) => {
    registerShippedParts();
    const backends = await backendStatus();
    const works = (name: string): boolean =>
      backends.some((backend) => backend.name === name && backend.works);
    const listed = Object.values(recipes).map((recipe) => {
      const { name, description, backend } = recipe;
      const missing = missingFile(recipe);
      const runs = works(backend) && missing === null;
      return { name, description, backend, runs, ...(missing !== null && { reason: missing }) };
    });
    const parts = {
      encoders: encoders.list(),
      projectors: projectors.list(),
      languageModels: languageModels.list(),
      losses: ["language", ...losses.list()],
    };
    const recipeRows = listed.map((r) => [
      pc.cyan(r.name),
      r.backend,
      r.reason === undefined ? tick(r.runs) : pc.red("no: file missing"),
      r.description,
    ]);
    terminal.line(table(["RECIPE", "BACKEND", "RUNS HERE", ""], recipeRows));
    for (const { name, reason } of listed) {
      if (reason !== undefined) terminal.line(`  ${pc.cyan(name)}: ${reason}`);
    }
    terminal.line();
    terminal.line(
      table(
        ["PART", ""],
        Object.entries(parts).map(([kind, names]) => [kind, names.join(", ")]),
      ),
    );
    terminal.line();
    const rows = backends.map((b) => [pc.cyan(b.name), tick(b.works), b.works ? b.description : b.reason]);
    terminal.line(table(["BACKEND", "RUNS HERE", ""], rows));
    terminal.result({ recipes: listed, ...parts, backends });
    return 0;
  },
});

/** What to say where the file of a recipe's language model is not there: how to get it. It is not opened. */
function missingFile({ model }: Recipe): string | null {
  return "language" in model && isGguf(model.language.name) ? missingGguf(model.language.name) : null;
}

function tick(yes: boolean): string {
  return yes ? pc.green("yes") : pc.red("no");
}

import { encoders, languageModels, losses, projectors } from "@basic-mllm/core";
import { recipes } from "@basic-mllm/recipes";
import pc from "picocolors";

import { defineCliCommand } from "../command.js";
import { backendStatus } from "../session/backends.js";
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
    const listed = Object.values(recipes).map(({ name, description, backend }) => ({
      name,
      description,
      backend,
      runs: works(backend),
    }));
    const parts = {
      encoders: encoders.list(),
      projectors: projectors.list(),
      languageModels: languageModels.list(),
      losses: ["language", ...losses.list()],
    };
    const recipeRows = listed.map((r) => [pc.cyan(r.name), r.backend, tick(r.runs), r.description]);
    terminal.line(table(["RECIPE", "BACKEND", "RUNS HERE", ""], recipeRows));
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

function tick(yes: boolean): string {
  return yes ? pc.green("yes") : pc.red("no");
}

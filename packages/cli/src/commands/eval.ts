import { BasicError, type EvaluationResult, parseRecipe, type Recipe } from "@basic-mllm/core";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { defineCliCommand, listOf, wholeNumber } from "../command.js";
import { readRunRecipe, restoreRun, withoutTraining } from "../session/open-run.js";
import { openTask } from "../session/open-task.js";
import { prepare } from "../session/train-run.js";
import { metricsTable } from "../tables.js";

/** `basic-mllm eval`: measures a trained run again. */
export const evaluate = defineCliCommand({
  name: "eval",
  description: "Measure a trained run on its evaluation sets.",
  args: {
    run: { type: "positional", description: "Run folder.", required: true },
    "set-name": {
      type: "string",
      valueHint: "name",
      description: "Evaluation set; may be repeated. Default: all of the recipe.",
    },
    limit: { type: "string", valueHint: "n", description: "Use the first n pictures of each set only." },
    threads: { type: "string", valueHint: "n", description: "Threads of the cpu backend." },
  },
  examples: [
    "basic-mllm eval runs/quickstart-0",
    "basic-mllm eval runs/quickstart-0 --set-name unseen-artist --limit 50",
    "basic-mllm eval runs/quickstart-0 --json | tail -n 1",
  ],
  run: async ({ args, repeated, terminal }) => {
    const limit = wholeNumber("eval", "limit", args.limit);
    const recipe = narrow(await readRunRecipe(args.run), listOf(repeated("set-name")), limit);
    await prepare(recipe, wholeNumber("eval", "threads", args.threads));
    const opened = withoutTraining(recipe, { evaluation: true });
    const session = await openTask({ recipe: opened, terminal, cache: defaultCacheFolder() }, false);
    try {
      const weights = await restoreRun(args.run, {
        recipe,
        groups: session.objective.groups,
        lora: session.lora ?? null,
        statistics: session.statistics ?? null,
      });
      const globalStep = weights.globalStep ?? 0;
      const stage = Object.keys(recipe.stages).at(-1) ?? "";
      const moment = { stage, step: globalStep, globalStep, stageEnd: true, final: true };
      const results = await session.evaluate(moment);
      print(terminal.line, `${pc.bold(recipe.name)}  weights of ${weights.from}`, results);
      terminal.result({ run: args.run, recipe: recipe.name, weights: weights.from, evaluations: results });
    } finally {
      session.dispose();
    }
    return 0;
  },
});

/** @throws `BasicError` `E_RECIPE_INVALID` for a set that the recipe lacks; `E_USAGE` where a choice means nothing. */
function narrow(recipe: Recipe, sets: readonly string[], limit: number | undefined): Recipe {
  if (sets.length === 0 && limit === undefined) return recipe;
  if (recipe.task !== "vlm") {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm eval: recipe "${recipe.name}" (task ${recipe.task}) has one fixed measurement: --set-name and --limit are for multimodal recipes.`,
    );
  }
  const evaluation = {
    ...recipe.evaluation,
    ...(sets.length > 0 && { sets: [...sets] }),
    ...(limit !== undefined && { limit }),
  };
  return parseRecipe({ ...recipe, evaluation });
}

function print(line: (text?: string) => void, title: string, results: readonly EvaluationResult[]): void {
  line(title);
  line(results.length === 0 ? "  The recipe has no evaluation sets." : metricsTable(results));
}

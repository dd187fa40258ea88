import { join } from "node:path";
import { BasicError, type VlmRecipe } from "@basic-mllm/core";
import { lossVariants, presets } from "@basic-mllm/recipes";
import { defaultCacheFolder } from "@basic-mllm/scenes";
import pc from "picocolors";

import { chooseVariants, type PlannedRun, planRuns } from "../ablation/plan.js";
import { type RunOutcome, runAll } from "../ablation/run.js";
import { type AblationTable, readRunResult, renderTable, summariseRuns } from "../ablation/table.js";
import { defineCliCommand, listOf, wholeNumber } from "../command.js";
import { abortOnInterrupt } from "../session/interrupt.js";
import { writeJson, writeText } from "../session/json-file.js";
import { loadRecipe } from "../session/load-recipe.js";
import { decimals } from "../tables.js";
import { type Terminal, table } from "../terminal.js";

/** `basic-mllm ablate`: the same recipe with several losses and seeds, as one table. */
export const ablate = defineCliCommand({
  name: "ablate",
  description:
    "Train a recipe with several losses and seeds, and compare them in one table. Run it again to go on.",
  args: {
    recipe: { type: "positional", description: "Recipe, or a file.", required: true },
    losses: {
      type: "string",
      valueHint: "a,b,c",
      description: "Variants of the losses; the first is what the others are compared with.",
    },
    preset: {
      type: "string",
      valueHint: "name",
      description: `A table of the paper instead: ${Object.keys(presets).join(", ")}.`,
    },
    seeds: { type: "string", valueHint: "0,1,2", default: "0,1,2", description: "Seeds of each variant." },
    steps: {
      type: "string",
      valueHint: "n",
      description: "Train each stage for n optimizer steps instead of the recipe's.",
    },
    set: {
      type: "string",
      valueHint: "path=value",
      description: "Change a field of the recipe; may be repeated.",
    },
    out: {
      type: "string",
      valueHint: "dir",
      description: "Folder of the runs. Default: runs/ablate-<recipe>.",
    },
    jobs: {
      type: "string",
      valueHint: "n",
      default: "1",
      description: "Runs at a time, each in its own process.",
    },
    threads: {
      type: "string",
      valueHint: "n",
      description: "Threads of each run. Default: all, shared by the jobs.",
    },
  },
  notes: [
    "LOSSES",
    "",
    ...lossVariants.map(({ name, description }) => `  ${name.padEnd(18)}  ${description}`),
  ],
  examples: [
    "basic-mllm ablate quickstart --losses none,das,sds,both --seeds 0,1,2",
    "basic-mllm ablate quickstart --preset paper:layer-weights --seeds 0,1,2 --jobs 2",
    "basic-mllm report runs/ablate-quickstart/*-0",
  ],
  run: async ({ args, repeated, terminal }) => {
    const recipe = await loadRecipe(args.recipe, repeated("set"));
    if (recipe.task !== "vlm") {
      throw new BasicError(
        "E_USAGE",
        `basic-mllm ablate: recipe "${recipe.name}" (task ${recipe.task}) has no visual losses to compare. Give a multimodal recipe.`,
      );
    }
    const out = args.out ?? join("runs", `ablate-${recipe.name}`);
    const plan = planned(recipe, { ...args, out });
    const jobs = wholeNumber("ablate", "jobs", args.jobs) ?? 1;
    const threads = wholeNumber("ablate", "threads", args.threads);
    const outcomes = await train(plan, { terminal, jobs, ...(threads !== undefined && { threads }) });
    const results = await Promise.all(plan.map((run) => readRunResult(run, outcomes.get(run) ?? "kept")));
    const summary = summariseRuns(recipe.name, plan, results);
    await writeJson(join(out, "table.json"), summary);
    await writeText(join(out, "table.md"), renderTable(summary));
    print(terminal, summary, out);
    terminal.result({ out, table: join(out, "table.md"), ...summary });
    return 0;
  },
});

interface PlanArguments {
  readonly out: string;
  readonly losses: string | undefined;
  readonly preset: string | undefined;
  readonly seeds: string;
  readonly steps: string | undefined;
}

function planned(recipe: VlmRecipe, args: PlanArguments): readonly PlannedRun[] {
  const variants = chooseVariants(listOf(args.losses === undefined ? [] : [args.losses]), args.preset);
  const seeds = listOf([args.seeds]).map((seed) => wholeNumber("ablate", "seeds", seed, 0) ?? 0);
  if (seeds.length === 0) throw new BasicError("E_USAGE", "basic-mllm ablate: --seeds names no seed.");
  const steps = wholeNumber("ablate", "steps", args.steps);
  return planRuns({ recipe, variants, seeds, out: args.out, ...(steps !== undefined && { steps }) });
}

async function train(
  plan: readonly PlannedRun[],
  options: { readonly terminal: Terminal; readonly jobs: number; readonly threads?: number },
): Promise<ReadonlyMap<PlannedRun, RunOutcome>> {
  const { terminal } = options;
  let done = 0;
  const interrupt = abortOnInterrupt(terminal);
  // Processes of their own say themselves where they are.
  if (options.jobs > 1) interrupt.enter("training");
  try {
    return await runAll(plan, {
      ...options,
      cache: defaultCacheFolder(),
      signal: interrupt.signal,
      onPhase: interrupt.enter,
      onDone: ({ variant, seed }, outcome) => {
        done += 1;
        terminal.line(pc.bold(`  run ${done} of ${plan.length}: ${variant.name}, seed ${seed}: ${outcome}`));
      },
    });
  } finally {
    interrupt.release();
  }
}

/** The headline set as a table on the terminal. */
function print(terminal: Terminal, { variants, sets, seeds }: AblationTable, out: string): void {
  const [set = ""] = sets;
  const names = [...new Set(variants.flatMap((variant) => Object.keys(variant.metrics[set] ?? {})))];
  const rows = variants.map((variant) => [
    variant.name,
    ...names.map((name) => {
      const summary = variant.metrics[set]?.[name];
      if (summary === undefined) return "–";
      const mean = decimals(summary.mean);
      return summary.n > 1 ? `${mean} ± ${decimals(summary.spread)}` : mean;
    }),
  ]);
  terminal.line();
  terminal.line(`${pc.bold(set)}  ${seeds.length} ${seeds.length === 1 ? "seed" : "seeds"}`);
  terminal.line(table(["VARIANT", ...names.map((name) => name.toUpperCase())], rows));
  terminal.line(`  with differences, p values and diagnostics: ${pc.cyan(join(out, "table.md"))}`);
}

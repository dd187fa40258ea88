import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { BasicError, diffRecipes, formatDifferences, RECIPE_FILE } from "@basic-mllm/core";

import { runCliProcess } from "../session/cli-process.js";
import type { RunPhase } from "../session/interrupt.js";
import { readRunJson, writeJson } from "../session/json-file.js";
import { DAMAGED_RECIPE } from "../session/open-run.js";
import { readEvaluation } from "../session/report-data.js";
import { trainRun } from "../session/train-run.js";
import type { Terminal } from "../terminal.js";
import type { PlannedRun } from "./plan.js";

/** How one run of an ablation ended. */
export type RunOutcome = "trained" | "kept" | "not-finite";

/** What {@link runAll} needs besides the plan. */
export interface RunAllOptions {
  readonly terminal: Terminal;
  readonly cache: string;
  readonly signal: AbortSignal;
  /** Called when the data of a run begin to be built, and before its first step. */
  readonly onPhase?: (phase: RunPhase) => void;
  /** Runs at a time; more than one: each in a process of its own. */
  readonly jobs: number;
  readonly threads?: number;
  readonly onDone: (run: PlannedRun, outcome: RunOutcome) => void;
}

/** What a run folder holds before its turn. */
type RunState = "absent" | "started" | "finished";

/**
 * Trains what is missing of a plan. A finished run is kept, a started one goes on from its last checkpoint, and one
 * whose loss becomes NaN does not stop the others.
 *
 * @throws `BasicError` `E_RESUME_CHANGED` before anything is trained, where a folder holds a run of another
 * recipe; `E_INTERRUPTED`.
 */
export async function runAll(
  plan: readonly PlannedRun[],
  options: RunAllOptions,
): Promise<ReadonlyMap<PlannedRun, RunOutcome>> {
  const states = new Map<PlannedRun, RunState>();
  for (const run of plan) states.set(run, await stateOf(run));
  const outcomes = new Map<PlannedRun, RunOutcome>();
  const waiting = [...plan];
  const work = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      const outcome = await runOne(run, states.get(run) ?? "absent", options);
      outcomes.set(run, outcome);
      options.onDone(run, outcome);
    }
  };
  const workers = Array.from({ length: Math.min(options.jobs, plan.length) }, work);
  const ended = await Promise.allSettled(
    workers.map((worker) =>
      worker.catch((error: unknown) => {
        waiting.length = 0;
        throw error;
      }),
    ),
  );
  const failed = ended.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return outcomes;
}

/** @throws `BasicError` `E_RESUME_CHANGED`, `E_DATA_FORMAT` where a file of the run is damaged. */
async function stateOf({ out, recipe }: PlannedRun): Promise<RunState> {
  const file = join(out, RECIPE_FILE);
  if (!existsSync(file)) return "absent";
  const stored = await readRunJson(file, DAMAGED_RECIPE);
  const differences = diffRecipes(stored, JSON.parse(JSON.stringify(recipe))).filter(
    ({ path }) => path !== "description",
  );
  if (differences.length > 0) {
    throw new BasicError(
      "E_RESUME_CHANGED",
      `${out} holds a run of another recipe:\n${formatDifferences(differences)}\n` +
        "Use the same recipe, --seeds and --steps as before, remove that folder, or choose another --out.",
    );
  }
  return (await readEvaluation(out)) === null ? "started" : "finished";
}

async function runOne(run: PlannedRun, state: RunState, options: RunAllOptions): Promise<RunOutcome> {
  if (state === "finished") return "kept";
  try {
    await (options.jobs > 1 ? runChild(run, state, options) : runHere(run, state, options));
    return "trained";
  } catch (error) {
    if (!(error instanceof BasicError) || error.code !== "E_NOT_FINITE") throw error;
    options.terminal.warn(`${run.out}: ${error.message}`);
    return "not-finite";
  }
}

async function runHere(run: PlannedRun, state: RunState, options: RunAllOptions): Promise<void> {
  const { terminal, cache, signal, threads, onPhase } = options;
  await trainRun({
    recipe: run.recipe,
    out: run.out,
    terminal,
    cache,
    signal,
    report: false,
    ...(onPhase !== undefined && { onPhase }),
    ...(threads !== undefined && { threads }),
    ...(state === "started" && { resume: "last" as const }),
  });
}

async function runChild(run: PlannedRun, state: RunState, options: RunAllOptions): Promise<void> {
  const { out, recipe, seed } = run;
  const { terminal, signal, jobs, cache } = options;
  if (signal.aborted) {
    throw new BasicError("E_INTERRUPTED", `Stopped before ${out}. Run the same command to go on.`);
  }
  await mkdir(dirname(out), { recursive: true });
  const file = `${out}.recipe.json`;
  await writeJson(file, recipe);
  const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / jobs));
  const command = ["train", file, "--out", out, "--no-report", "--threads", String(threads)];
  await runCliProcess({
    program: process.argv[1] ?? "",
    command: [...command, ...(state === "started" ? ["--resume"] : [])],
    cache,
    signal,
    name: out,
    onLine: (line) => terminal.line(`${recipe.name}-${seed} │ ${line}`),
  }).finally(() => rm(file, { force: true }));
}

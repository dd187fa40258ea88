import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  type CheckpointChoice,
  type EvaluationResult,
  loadPlugins,
  type MetricsLine,
  type Objective,
  type Recipe,
  readMetrics,
  setFallback,
  startBackend,
  type TrainEvent,
  type TrainingData,
  train,
} from "@basic-mllm/core";
import { createDiskStore } from "@basic-mllm/weights";
import pc from "picocolors";

import { duration, type Progress, type Terminal } from "../terminal.js";
import { estimateMemory, memoryTable } from "./memory.js";
import { openTask } from "./open-task.js";
import { registerShippedParts } from "./parts.js";
import { importPlugin } from "./plugins.js";
import { progressNote } from "./progress-note.js";
import { writeJson } from "./region-text.js";
import { writeReport } from "./run-report.js";
import { printStartTable } from "./start-table.js";
import type { TaskSession } from "./task.js";
import { createEventWriter } from "./tensorboard-writer.js";
import { commit, version } from "./version.js";
import type { VlmSession } from "./vlm.js";

/** A run to make or to continue. */
export interface TrainRunOptions {
  readonly recipe: Recipe;
  readonly terminal: Terminal;
  readonly cache: string;
  readonly out: string;
  readonly signal: AbortSignal;
  readonly report: boolean;
  readonly threads?: number;
  readonly resume?: CheckpointChoice;
  /** The baseline that never sees a picture. */
  readonly blind?: boolean;
}

/** What `train --json` prints. */
export interface TrainSummary {
  readonly recipe: string;
  readonly seconds: number;
  readonly steps: number;
  /** Of the first evaluation set. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly evaluations: readonly EvaluationResult[];
  readonly blind: Readonly<Record<string, number>> | null;
  readonly out: string;
  readonly report: string | null;
}

/** Starts the backend and plugins that a recipe names. */
export async function prepare(recipe: Recipe, threads?: number): Promise<void> {
  if (threads !== undefined) process.env["BASIC_MLLM_THREADS"] = String(threads);
  // Plugins first: one of them may register the backend.
  await loadPlugins(recipe.plugins, importPlugin);
  await startBackend(recipe.backend, { fallback: recipe.fallback });
  setFallback(recipe.fallback);
  registerShippedParts();
}

/** Trains a recipe from its data to its report. */
export async function trainRun(options: TrainRunOptions): Promise<TrainSummary> {
  const { recipe, terminal, out } = options;
  await prepare(recipe, options.threads);
  const session = await openTask(options, options.blind === true);
  try {
    if (options.blind !== true) printStartTable(terminal, recipe, session.parts);
    const start = Date.now();
    const result = await trainSession(session, options);
    const seconds = (Date.now() - start) / 1000;
    const evaluations = await finalEvaluations(out);
    await saveModel(session, options, { steps: result.globalStep, evaluations });
    const blind = await blindBaseline(options);
    const summary = {
      recipe: recipe.name,
      seconds: round(seconds),
      steps: result.globalStep,
      evaluations,
      blind,
      out,
    };
    await writeJson(join(out, "evaluation.json"), { ...summary, metrics: evaluations[0]?.metrics ?? {} });
    const report =
      options.report && isVlm(session)
        ? await writeReport(session, { ...summary, recipe: session.recipe })
        : null;
    printResult(terminal, { ...summary, report });
    return { ...summary, metrics: evaluations[0]?.metrics ?? {}, report };
  } finally {
    session.dispose();
  }
}

/** Checks everything up to the first step and says what it would take. */
export async function dryRun(options: TrainRunOptions): Promise<Readonly<Record<string, unknown>>> {
  const { recipe, terminal } = options;
  await prepare(recipe, options.threads);
  const session = await openTask(options, false);
  try {
    printStartTable(terminal, recipe, session.parts);
    const estimate = await estimateMemory(recipe, session);
    terminal.line(memoryTable(estimate));
    return { recipe: recipe.name, parts: session.parts, memory: estimate };
  } finally {
    session.dispose();
  }
}

async function trainSession<Batch>(session: TaskSession<Batch>, options: TrainRunOptions) {
  const { recipe, terminal, out, signal, resume } = options;
  await mkdir(out, { recursive: true });
  const events = createEventWriter(out);
  const watch = createWatcher(terminal, options.blind === true);
  try {
    return await train<Batch>({
      recipe,
      objective: (): Objective<Batch> => session.objective,
      data: (stage): Promise<TrainingData<Batch>> => session.data(stage),
      store: createDiskStore(out),
      signal,
      evaluate: (moment) => session.evaluate(moment),
      onEvent: (event) => {
        watch.see(event);
        events.see(event);
      },
      ...(resume !== undefined && { resume }),
    });
  } finally {
    watch.stop();
    await events.close();
  }
}

/** Turns the loop's events into a progress bar and lines. */
function createWatcher(terminal: Terminal, blind: boolean) {
  let progress: Progress | undefined;
  let note = "";
  const seeLine = (line: MetricsLine): void => {
    if (line.kind === "train") note = progressNote(line);
    if (line.kind === "warning") terminal.warn(line.text);
    if (line.kind === "evaluation" && !blind) {
      terminal.line(`  ${pc.dim(line.split)}  ${metricsText(line.metrics)}`);
    }
  };
  const see = (event: TrainEvent): void => {
    switch (event.kind) {
      case "stage-start":
        progress = terminal.progress(blind ? `blind ${event.stage}` : event.stage, event.steps);
        progress.update(event.step);
        break;
      case "step":
        progress?.update(event.step, note);
        break;
      case "stage-end":
        progress?.stop();
        break;
      case "metrics":
        seeLine(event.line);
        break;
    }
  };
  return { see, stop: () => progress?.stop() };
}

function metricsText(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join("  ");
}

/** The last evaluation of each set, from the run's metrics: also after a resume. */
async function finalEvaluations(out: string): Promise<readonly EvaluationResult[]> {
  const lines = await readMetrics(createDiskStore(out));
  const last = new Map<string, EvaluationResult>();
  for (const line of lines) {
    if (line.kind === "evaluation") last.set(line.split, { split: line.split, metrics: line.metrics });
  }
  return [...last.values()];
}

async function saveModel<Batch>(
  session: TaskSession<Batch>,
  { recipe, out }: TrainRunOptions,
  { steps, evaluations }: { steps: number; evaluations: readonly EvaluationResult[] },
): Promise<void> {
  const folder = join(out, "model");
  await mkdir(folder, { recursive: true });
  const recipeHash = createHash("sha256").update(JSON.stringify(recipe)).digest("hex");
  const metrics = Object.fromEntries(evaluations.map(({ split, metrics: values }) => [split, values]));
  await session.save(folder, {
    recipe: recipe.name,
    recipeHash,
    version: version(),
    commit: commit(),
    steps,
    metrics,
  });
}

/** The same recipe trained without ever seeing a picture, in a folder of its own; kept once it is there. */
async function blindBaseline(options: TrainRunOptions): Promise<Readonly<Record<string, number>> | null> {
  const { recipe, out } = options;
  if (options.blind === true || recipe.task !== "vlm" || !recipe.evaluation.blind) return null;
  const folder = join(out, "blind");
  const store = createDiskStore(folder);
  if (await store.exists("evaluation.json")) return (await finalEvaluations(folder))[0]?.metrics ?? null;
  const plain = Object.entries(recipe.stages).map(([name, stage]) => [
    name,
    { ...stage, losses: {}, evaluateEvery: 0 },
  ]);
  const blindRecipe = { ...recipe, stages: Object.fromEntries(plain) } as Recipe;
  const started = (await store.list("checkpoints")).length > 0;
  const { resume: _, ...rest } = options;
  const summary = await trainRun({
    ...rest,
    recipe: blindRecipe,
    out: folder,
    blind: true,
    report: false,
    ...(started && { resume: "last" as const }),
  });
  return summary.metrics;
}

function isVlm<Batch>(session: TaskSession<Batch> | VlmSession): session is VlmSession {
  return "sets" in session;
}

function printResult(terminal: Terminal, summary: Omit<TrainSummary, "metrics">): void {
  const { evaluations, blind, seconds, report, out, steps } = summary;
  terminal.line();
  for (const { split, metrics } of evaluations) terminal.line(`  ${pc.bold(split)}  ${metricsText(metrics)}`);
  if (blind !== null) terminal.line(`  ${pc.bold("blind")}  ${metricsText(blind)}`);
  terminal.line(`  ${steps} steps in ${duration(seconds)}; run folder ${out}`);
  if (report !== null) terminal.line(`  report ${pc.cyan(report)}`);
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}

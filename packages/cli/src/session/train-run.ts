import { createHash } from "node:crypto";
import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { RankCollective } from "@basic-mllm/backend-cuda";
import {
  BasicError,
  type CheckpointChoice,
  type EvaluationResult,
  loadPlugins,
  type MetricsLine,
  type Objective,
  type Recipe,
  type RunStore,
  readMetrics,
  type StartedBackend,
  type TrainingData,
  type TrainResult,
  train,
} from "@basic-mllm/core";
import { createDiskStore } from "@basic-mllm/weights";

import type { Terminal } from "../terminal.js";
import { imaginesDevices, startRecipeBackend } from "./backends.js";
import { blindRecipe, blindResume, EVALUATION_FILE, hasBlindStages } from "./blind-baseline.js";
import { withBlindBeside } from "./blind-process.js";
import { fitsDevice } from "./device-memory.js";
import { collectGarbage, withoutGarbage } from "./garbage.js";
import type { RunPhase } from "./interrupt.js";
import { writeJson } from "./json-file.js";
import { checkMemoryLimit, estimateMemory, memoryTable } from "./memory.js";
import { openTask } from "./open-task.js";
import { registerShippedParts } from "./parts.js";
import { importPlugin } from "./plugins.js";
import { endTraining, joinRanks, type RankPlace } from "./rank.js";
import { writeReport } from "./run-report.js";
import { printStart, printStartTable } from "./start-table.js";
import { writeStatistics } from "./statistics-file.js";
import { requireTrainedGroups, type TaskSession } from "./task.js";
import { createEventWriter } from "./tensorboard-writer.js";
import { firstPicture, printResult } from "./train-result.js";
import { trainingSeconds } from "./training-time.js";
import { unknownWordsWarnings } from "./unknown-words.js";
import { commit, version } from "./version.js";
import type { VlmSession } from "./vlm.js";
import { createWatcher } from "./watcher.js";

/** A run to make or to continue. */
export interface TrainRunOptions {
  readonly recipe: Recipe;
  readonly terminal: Terminal;
  readonly cache: string;
  readonly out: string;
  readonly signal: AbortSignal;
  /** Called when data and features begin to be built, before the first step, and before the report. */
  readonly onPhase?: (phase: RunPhase) => void;
  readonly report: boolean;
  readonly threads?: number;
  /** Threads that open pictures. Default: the recipe's. */
  readonly workers?: number;
  /** Processes that train together, of which this is one. Rank 0 does all but the steps alone. */
  readonly place?: RankPlace;
  /** GPUs that share the steps: memory is predicted for one of them. Default 1. */
  readonly ranks?: number;
  /** Bytes of resident memory that this process may take; the run does not start where it would take more. */
  readonly memoryLimit?: number;
  /** Bytes of a GPU that a dry run must fit in. Default: those that the backend's has. */
  readonly deviceMemory?: number;
  readonly resume?: CheckpointChoice;
  /** The baseline that never sees a picture. */
  readonly blind?: boolean;
  /** Trains this recipe's baseline in a process of its own; where absent, it trains in this one, afterwards. */
  readonly besideCommand?: { readonly program: string; readonly command: readonly string[] };
}

/** What `train --json` prints. */
export interface TrainSummary {
  readonly recipe: string;
  /** Wall time of the optimizer steps, over all starts of the run. */
  readonly seconds: number;
  readonly steps: number;
  /** Of the first evaluation set. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly evaluations: readonly EvaluationResult[];
  readonly blind: Readonly<Record<string, number>> | null;
  readonly out: string;
  readonly report: string | null;
}

/**
 * Starts the backend and plugins that a recipe names.
 *
 * @param imagine - Bytes of memory of a device to imagine instead of one that is there.
 */
export async function prepare(recipe: Recipe, threads?: number, imagine?: number): Promise<StartedBackend> {
  if (threads !== undefined) process.env["BASIC_MLLM_THREADS"] = String(threads);
  // Plugins first: one of them may register the backend.
  await loadPlugins(recipe.plugins, importPlugin);
  const backend = await startRecipeBackend(recipe, imagine);
  registerShippedParts();
  return backend;
}

/**
 * Trains a recipe from its data to its report. Its folder is locked from before the data to after the report.
 *
 * @throws `BasicError` `E_RUN_LOCKED` where another process uses the folder, and what opening and training throw.
 */
export async function trainRun(options: TrainRunOptions): Promise<TrainSummary> {
  const backend = await prepare(options.recipe, options.threads);
  const { place } = options;
  const joined = place === undefined ? undefined : await joinRanks(place);
  const store = createDiskStore(options.out);
  const release = await store.lock();
  try {
    const held = { ...store, lock: async () => async () => undefined };
    return await trainLocked(options, { backend, store: held, ranks: joined?.collective });
  } catch (error) {
    throw joined === undefined ? error : await joined.explain(error);
  } finally {
    await release();
    // A run that could not even start leaves no empty folder; one with files stays.
    await rmdir(options.out).catch(() => undefined);
  }
}

/** What a run has taken before it opens its task. */
interface HeldRun {
  readonly backend: StartedBackend;
  /** Of a folder that this process holds. */
  readonly store: RunStore;
  readonly ranks: RankCollective | undefined;
}

async function trainLocked(options: TrainRunOptions, held: HeldRun): Promise<TrainSummary> {
  const { recipe, terminal, out } = options;
  const { backend, ranks } = held;
  options.onPhase?.("preparing");
  const session = await openTask(options, options.blind === true);
  try {
    // The other ranks wait until data and features are on the disk.
    await ranks?.barrier();
    requireTrainedGroups(recipe, session.objective);
    if (options.blind !== true) {
      await printStart(session, { ...options, backend });
      warnOfUnknownWords(session, terminal);
    }
    const { steps, lines, evaluations } = await withBlindBeside(
      { options, backend, parts: session.parts },
      () => trainAndSave(session, options, held),
    );
    const blind = await blindBaseline(options);
    const summary = {
      recipe: recipe.name,
      seconds: trainingSeconds(lines),
      steps,
      evaluations,
      blind,
      out,
    };
    await writeJson(join(out, EVALUATION_FILE), { ...summary, metrics: evaluations[0]?.metrics ?? {} });
    const reports = options.report && isVlm(session);
    if (reports) options.onPhase?.("reporting");
    const report = reports
      ? await writeReport(session, { ...options, ...summary, backend, recipe: session.recipe })
      : null;
    const ofBaseline = options.blind === true;
    const picture = !ofBaseline && isVlm(session) ? firstPicture(session) : undefined;
    printResult(terminal, { ...summary, report }, { picture, ofBaseline });
    return { ...summary, metrics: evaluations[0]?.metrics ?? {}, report };
  } finally {
    session.dispose();
  }
}

async function trainAndSave<Batch>(session: TaskSession<Batch>, options: TrainRunOptions, held: HeldRun) {
  const { store, ranks } = held;
  const { globalStep: steps } = await trainSession(session, options, held);
  if (ranks !== undefined) endTraining(ranks);
  const lines = await readMetrics(store);
  const evaluations = finalEvaluations(lines);
  await saveModel(session, options, { steps, evaluations });
  return { steps, lines, evaluations };
}

/**
 * Checks everything up to the first step and says what it would take. With `deviceMemory` a backend that can imagines a
 * device of that size: no weight is read, no picture opened, and no device looked for.
 */
export async function dryRun(options: TrainRunOptions): Promise<Readonly<Record<string, unknown>>> {
  const { recipe, terminal } = options;
  const imagine = (await imaginesDevices(recipe.backend)) ? options.deviceMemory : undefined;
  const backend = await prepare(recipe, options.threads, imagine);
  const session = await openTask(options, false);
  try {
    requireTrainedGroups(recipe, session.objective);
    const memory = await estimateMemory(recipe, session, options.ranks);
    printStartTable(terminal, { recipe, backend, parts: session.parts, memory: memoryTable(memory) });
    checkMemoryLimit(memory, options.memoryLimit);
    const fits = fitsDevice(memory, options.deviceMemory);
    if (fits !== undefined) terminal.line(`  ${fits}`);
    warnOfUnknownWords(session, terminal);
    return { recipe: recipe.name, parts: session.parts, memory };
  } finally {
    session.dispose();
  }
}

async function trainSession<Batch>(
  session: TaskSession<Batch>,
  options: TrainRunOptions,
  { store, ranks }: HeldRun,
): Promise<TrainResult> {
  const { recipe, terminal, out, signal, resume } = options;
  stopIfAborted(options);
  options.onPhase?.("training");
  const events = createEventWriter(out, (text) => terminal.warn(text));
  const watch = createWatcher(terminal, options.blind === true);
  // What opening data and features leaves behind.
  collectGarbage();
  try {
    return await train<Batch>({
      recipe,
      objective: (): Objective<Batch> => session.objective,
      data: async (stage): Promise<TrainingData<Batch>> => {
        // Here the folder is known to be this run's.
        if (session.statistics) await writeStatistics(out, session.statistics);
        return session.data(stage);
      },
      store: withoutGarbage(store),
      signal,
      evaluate: (moment) => {
        collectGarbage();
        return session.evaluate(moment);
      },
      onEvent: (event) => {
        watch.see(event);
        events.see(event);
      },
      ...(resume !== undefined && { resume }),
      ...(ranks !== undefined && { collective: ranks }),
    });
  } finally {
    watch.stop();
    await events.close();
  }
}

/** The last evaluation of each set, from the run's metrics: also after a resume. */
function finalEvaluations(lines: readonly MetricsLine[]): readonly EvaluationResult[] {
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
  const recipeHash = createHash("sha256").update(JSON.stringify(recipe)).digest("hex");
  const metrics = Object.fromEntries(evaluations.map(({ split, metrics: values }) => [split, values]));
  collectGarbage();
  await session.save(folder, {
    recipe: recipe.name,
    recipeHash,
    version: version(),
    commit: commit(),
    steps,
    metrics,
  });
}

/** The same recipe without any picture, in a folder of its own; kept once it is there. */
async function blindBaseline(options: TrainRunOptions): Promise<Readonly<Record<string, number>> | null> {
  const { recipe, out } = options;
  if (options.blind === true || recipe.task !== "vlm" || !recipe.evaluation.blind) return null;
  const folder = join(out, "blind");
  const store = createDiskStore(folder);
  if (await store.exists(EVALUATION_FILE)) {
    return finalEvaluations(await readMetrics(store))[0]?.metrics ?? null;
  }
  const { place: _, ...alone } = options;
  if (!hasBlindStages(recipe)) {
    return untrained({ ...options, recipe: { ...blindRecipe(recipe), stages: recipe.stages } });
  }
  return (await trainBlind(alone)).metrics;
}

/**
 * Trains the baseline of a recipe in its folder, from its last checkpoint where there is one.
 *
 * @param options - Of the run that it belongs to.
 * @throws `BasicError` `E_USAGE` where no stage of the recipe trains on words.
 */
export async function trainBlind(options: TrainRunOptions): Promise<TrainSummary> {
  const { recipe, resume: asked, out, ...rest } = options;
  if (recipe.task !== "vlm" || !hasBlindStages(recipe)) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm train: --blind trains the stages that train on words, and recipe "${recipe.name}" has none. Leave it out.`,
    );
  }
  const folder = join(out, "blind");
  const resume = await blindResume(createDiskStore(folder), asked);
  return trainRun({
    ...rest,
    recipe: blindRecipe(recipe),
    out: folder,
    blind: true,
    report: false,
    ...(resume !== undefined && { resume }),
  });
}

/** What the language model answers as it came. */
async function untrained(options: TrainRunOptions): Promise<Readonly<Record<string, number>> | null> {
  const session = await openTask(options, true);
  try {
    const stage = Object.keys(options.recipe.stages).at(-1) as string;
    const evaluations = await session.evaluate({
      stage,
      step: 0,
      globalStep: 0,
      final: true,
      stageEnd: true,
    });
    return evaluations[0]?.metrics ?? null;
  } finally {
    session.dispose();
  }
}

/** Between features and the first step, where the work that the signal stops has ended already. */
function stopIfAborted({ signal, resume, blind }: TrainRunOptions): void {
  if (!signal.aborted) return;
  const began = resume !== undefined || blind === true;
  const what = blind === true ? "training the baseline without pictures" : "the first step";
  throw new BasicError(
    "E_INTERRUPTED",
    `Stopped before ${what}. ${began ? "Resume the run to go on." : "Nothing was written to the run folder: start again to train."}`,
  );
}

function warnOfUnknownWords<Batch>(session: TaskSession<Batch> | VlmSession, terminal: Terminal): void {
  if (!isVlm(session)) return;
  const { train: trained, evaluation } = session.sets;
  const sets = [...trained.values(), ...evaluation.values()];
  for (const warning of unknownWordsWarnings(session.tokenizer, sets)) terminal.warn(warning);
}

function isVlm<Batch>(session: TaskSession<Batch> | VlmSession): session is VlmSession {
  return "sets" in session;
}

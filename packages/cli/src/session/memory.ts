import { setTimeout } from "node:timers/promises";
import {
  BasicError,
  momentBytes,
  type Objective,
  type Recipe,
  type RecipeStage,
  type RehearsalInput,
  rehearseStages,
  resolveSteps,
  trainedParts,
} from "@basic-mllm/core";

import { bytes, enough, table } from "../terminal.js";
import { deviceMemory } from "./device-memory.js";
import { collectGarbage } from "./garbage.js";
import type { TaskSession } from "./task.js";

/** Memory that a stage is known to take before any step, in bytes. */
export interface StageState {
  readonly stage: string;
  readonly steps: number;
  /** Parameters as they are now, trained or frozen. */
  readonly parameters: number;
  /** A gradient and AdamW's two moments of every parameter that trains. */
  readonly state: number;
  /** A checkpoint: its tensors go to the host, and to the disk one after the other. */
  readonly saving: number;
}

/** Memory of a run up to the end of one stage, in bytes. */
export interface StageMemory extends StageState {
  /** Gradients, moments and activations: what the backend's memory grows by. Null where the backend cannot tell. */
  readonly training: number | null;
  /** Resident memory of the process at its peak: what it has now, and what it will grow by. */
  readonly resident: number | null;
  /** Memory of the GPU at its peak. Null where the backend has none, or cannot tell. */
  readonly device: number | null;
}

/** Bytes of a parameter's value and of its gradient. */
const VALUE_BYTES = 4;
/** Copies of written tensors that V8 keeps before it collects: its limit of memory outside of its heap. */
const UNCOLLECTED_BYTES = 64e6;

/** What each stage is known to take, from sizes alone: activations come on top. */
export async function stageStates<Batch>(
  recipe: Recipe,
  session: Pick<TaskSession<Batch>, "parts" | "objective" | "data">,
): Promise<readonly StageState[]> {
  const { parts, objective } = session;
  const parameters = parts.reduce((sum, part) => sum + part.bytes, 0);
  const names = Object.keys(recipe.stages);
  return Promise.all(
    Object.entries(recipe.stages).map(async ([name, stage], i) => ({
      stage: name,
      steps: resolveSteps(stage, (await session.data(name)).size),
      parameters,
      state: stateBytes(stage, objective),
      saving: checkpointBytes(recipe, objective, names.slice(0, i + 1)),
    })),
  );
}

/**
 * Predicts the peak memory of each stage by going through steps of it without computing them.
 *
 * @param ranks - GPUs that share the micro-batches of a step: the memory of one of them.
 */
export async function estimateMemory<Batch>(
  recipe: Recipe,
  session: TaskSession<Batch>,
  ranks = 1,
): Promise<readonly StageMemory[]> {
  const { objective } = session;
  const states = await stageStates(recipe, session);
  let withGarbage = 0;
  const look = () => {
    withGarbage = Math.max(withGarbage, process.memoryUsage.rss());
  };
  const inputs = await rehearsalInputs(recipe, session, { ranks, look });
  // What the pool holds for reuse is given back before the first step, too.
  collectGarbage();
  const growth = await rehearseStages(inputs);
  // What the rehearsal has read counts as resident.
  const data = dataGrowth(recipe, session, inputs);
  // Afterwards: the code and the heap that training needs are there.
  const resident = await settledResident();
  // V8 collects when it likes: steps leave about as much as their rehearsal, whatever the stage.
  const garbage = Math.max(0, withGarbage - resident);
  const peakSoFar = process.resourceUsage().maxRSS * 1024;
  const onDevice = deviceMemory();
  // Packed moments lie outside of the backend's memory.
  const packed = Object.values(recipe.stages).map((stage) =>
    (stage.moments ?? "float32") === "float32" ? 0 : momentsOf(stage, objective),
  );
  return states.map((stage, i) => {
    const grown = growth?.[i];
    const training = grown === undefined ? null : grown + Math.max(...packed.slice(0, i + 1));
    if (training === null) return { ...stage, training, resident: null, device: null };
    // Steps take a GPU's memory where there is one.
    const steps = onDevice === undefined ? stageGrowth(stage, training) : stage.saving;
    return {
      ...stage,
      training,
      resident: Math.max(resident + (data[i] as number) + garbage + steps, peakSoFar),
      device: onDevice === undefined ? null : onDevice.usedBytes + training,
    };
  });
}

/** `look` is called after the steps of each stage, and after the evaluation that follows. */
async function rehearsalInputs<Batch>(
  recipe: Recipe,
  session: TaskSession<Batch>,
  { ranks, look }: { ranks: number; look: () => void },
): Promise<readonly RehearsalInput<Batch>[]> {
  const { objective } = session;
  const inputs: RehearsalInput<Batch>[] = [];
  for (const stageName of Object.keys(recipe.stages)) {
    const afterwards = async () => {
      look();
      await session.rehearseEvaluation?.(stageName);
      look();
    };
    inputs.push({ recipe, stageName, objective, data: await session.data(stageName), ranks, afterwards });
  }
  return inputs;
}

/** Of steps, or of a checkpoint: activations are given back before it is written. */
function stageGrowth({ state, saving }: Pick<StageState, "state" | "saving">, training: number): number {
  return Math.max(training, state + saving);
}

/** Bytes of data that are in memory at the end of each stage and are not yet. */
function dataGrowth<Batch>(
  { stages }: Recipe,
  session: TaskSession<Batch>,
  inputs: readonly RehearsalInput<Batch>[],
): readonly number[] {
  const shares = new Map<string, number>();
  return inputs.map(({ stageName, data: { size }, ranks = 1 }) => {
    const stage = stages[stageName] as RecipeStage;
    const read = (resolveSteps(stage, size) * stage.batchSize * stage.accumulate) / ranks;
    shares.set(stageName, Math.min(1, read / size));
    return session.growth?.(shares) ?? 0;
  });
}

/** A copy of what has trained so far; of as much as is not collected, with the largest tensor, where that is less. */
function checkpointBytes<Batch>(recipe: Recipe, objective: Objective<Batch>, stages: readonly string[]) {
  const trained = stages.map((name) => recipe.stages[name]).filter((stage) => stage !== undefined);
  const last = trained.at(-1);
  const moments = last === undefined ? 0 : momentsOf(last, objective);
  const all = VALUE_BYTES * sizeOf(trained, objective) + moments;
  // A moment is never larger than its parameter.
  const sizes = Object.values(trainedParts(trained, objective.groups)).flatMap((set) =>
    [...set].map(({ size }) => size),
  );
  const largest = VALUE_BYTES * sizes.reduce((most, size) => Math.max(most, size), 0);
  return Math.min(all, largest + UNCOLLECTED_BYTES);
}

/** A gradient and both moments of what a stage trains. */
function stateBytes<Batch>(stage: RecipeStage, objective: Objective<Batch>): number {
  return VALUE_BYTES * sizeOf([stage], objective) + momentsOf(stage, objective);
}

/** Both moments of what a stage trains. */
function momentsOf<Batch>(stage: RecipeStage, objective: Objective<Batch>): number {
  const { moments = "float32" } = stage;
  if (moments === "float32") return 2 * VALUE_BYTES * sizeOf([stage], objective);
  const parameters = Object.values(trainedParts([stage], objective.groups)).flatMap((set) => [...set]);
  return 2 * parameters.reduce((sum, { shape }) => sum + momentBytes(moments, shape), 0);
}

/** Parameters that any of these stages trains. */
function sizeOf<Batch>(stages: readonly RecipeStage[], { groups }: Objective<Batch>): number {
  return Object.values(trainedParts(stages, groups)).reduce((sum, set) => sum + set.size, 0);
}

/** Resident bytes of this process without its garbage. */
async function settledResident(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    // Array buffers go back in the background.
    await setTimeout(100);
  }
  return process.memoryUsage.rss();
}

/** What is known before any step, as a table. */
export function stateTable(stages: readonly StageState[]): string {
  const rows = stages.map((s) => [
    s.stage,
    String(s.steps),
    bytes(s.parameters),
    bytes(s.state),
    bytes(s.saving),
  ]);
  const header = ["STAGE", "STEPS", "PARAMETERS", "GRADIENTS, MOMENTS", "A CHECKPOINT ADDS"];
  return `${table(header, rows)}\n  activations come on top: --dry predicts the peak`;
}

/** The estimate as a table. */
export function memoryTable(stages: readonly StageMemory[]): string {
  const size = (value: number | null) => (value === null ? "unknown" : bytes(value));
  const onDevice = stages.some(({ device }) => device !== null);
  const rows = stages.map((s) => [
    s.stage,
    String(s.steps),
    bytes(s.parameters),
    size(s.training),
    bytes(s.saving),
    size(s.resident),
    ...(onDevice ? [size(s.device)] : []),
  ]);
  const header = [
    "STAGE",
    "STEPS",
    "PARAMETERS",
    "TRAINING ADDS",
    "A CHECKPOINT ADDS",
    "PEAK OF THE PROCESS",
  ];
  return table(onDevice ? [...header, "PEAK OF THE GPU"] : header, rows);
}

const SMALLER =
  "Lower batchSize (and raise accumulate), or rowBudget where samples are packed, train fewer parts, or raise the limit.";

/**
 * Stops a run that would take more memory than it may. No limit: anything goes.
 *
 * @throws {@link BasicError} `E_MEMORY_LIMIT` with all sizes.
 */
export function checkMemoryLimit(stages: readonly StageMemory[], limit: number | undefined): void {
  if (limit === undefined) return;
  const needs = stages.map(needOf);
  const need = needs.reduce((most, own) => (own.resident > most.resident ? own : most));
  if (need.resident <= limit) return;
  const { stage, parameters, resident, steps, forSteps } = need;
  // Of all stages: another one than that which needs most may need most with the smallest batch.
  const least = Math.max(...needs.map((own) => own.least));
  throw new BasicError(
    "E_MEMORY_LIMIT",
    `Stage "${stage}" would take ${enough(resident)}, and the limit is ${bytes(limit)}: ` +
      `${bytes(resident - steps)} for the process with data and parameters (${bytes(parameters)}), ` +
      `${bytes(steps)} for ${forSteps}. ` +
      (least > limit ? `No batchSize fits: the least is ${enough(least)}. ` : `${SMALLER} `) +
      `As it is, the run needs ${enough(resident)} (stage "${stage}"), a few MB more or less from start to start.`,
  );
}

/** What a stage needs. `steps`: what its steps or a checkpoint take of it. `least`: without any activation. */
function needOf({ stage, parameters, state, saving, training, resident, device }: StageMemory) {
  if (resident === null || training === null) {
    throw new BasicError(
      "E_MEMORY_LIMIT",
      "The memory of a run cannot be predicted on this backend, so --memory-limit cannot hold. Leave it out.",
    );
  }
  const own = { stage, parameters, resident };
  // Steps take a GPU's memory.
  if (device !== null) return { ...own, steps: saving, forSteps: "a checkpoint", least: resident };
  const steps = stageGrowth({ state, saving }, training);
  const forSteps = "gradients, moments, and activations or a checkpoint";
  return { ...own, steps, forSteps, least: resident - steps + state + saving };
}

const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/**
 * `1.5GB` to 1500000000.
 *
 * @throws {@link BasicError} `E_USAGE`.
 */
export function parseBytes(verb: string, name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, amount = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*$/.exec(text) ?? [];
  const factor = UNITS[unit];
  const value = Number(amount) * (factor ?? 0);
  if (factor !== undefined && value > 0) return value;
  throw new BasicError(
    "E_USAGE",
    `basic-mllm ${verb}: --${name} must be a size such as 1.5GB or 900MB, got "${text}". Units: ${Object.keys(UNITS).join(", ")}.`,
  );
}

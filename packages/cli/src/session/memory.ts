import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  BasicError,
  type Objective,
  type Recipe,
  type RehearsalInput,
  rehearseStages,
  resolveSteps,
  trainedGroups,
} from "@basic-mllm/core";

import { bytes, table } from "../terminal.js";
import type { TaskSession } from "./task.js";

/** Garbage that V8 keeps before it collects, and kernels' scratch memory: measured in runs of the quickstart. */
const GARBAGE_BYTES = 28e6;

/** Memory of a run up to the end of one stage, in bytes. */
export interface StageMemory {
  readonly stage: string;
  readonly steps: number;
  /** Parameters as they are now, trained or frozen. */
  readonly parameters: number;
  /** Gradients, moments and activations: what the backend's memory grows by. Null where the backend cannot tell. */
  readonly training: number | null;
  /** A checkpoint: values and moments copied to the host, and the file made of them. */
  readonly saving: number;
  /** Resident memory of the process at its peak: what it has now, and what it will grow by. */
  readonly resident: number | null;
}

/** Bytes of a parameter's value, and of each of AdamW's two moments. */
const VALUE_BYTES = 4;
/** A checkpoint is held twice while it is written: as copies, and as a file. */
const CHECKPOINT_COPIES = 2;

/** Predicts the peak memory of each stage by going through steps of it without computing them. */
export async function estimateMemory<Batch>(
  recipe: Recipe,
  session: TaskSession<Batch>,
): Promise<readonly StageMemory[]> {
  const { objective } = session;
  const parameters = session.parts.reduce((sum, part) => sum + part.parameters * VALUE_BYTES, 0);
  const inputs: RehearsalInput<Batch>[] = [];
  const result: Omit<StageMemory, "resident">[] = [];
  for (const [stageName, stage] of Object.entries(recipe.stages)) {
    const data = await session.data(stageName);
    inputs.push({ recipe, stageName, objective, data });
    const training = await rehearseStages(inputs);
    const saving = checkpointBytes(recipe, objective, Object.keys(recipe.stages).slice(0, inputs.length));
    result.push({ stage: stageName, steps: resolveSteps(stage, data.size), parameters, training, saving });
  }
  // Afterwards: the code and the heap that training needs are there.
  const resident = (await settledResident()) + GARBAGE_BYTES;
  const peakSoFar = process.resourceUsage().maxRSS * 1024;
  return result.map((stage) => ({
    ...stage,
    resident: stage.training === null ? null : Math.max(resident + stage.training + stage.saving, peakSoFar),
  }));
}

/** The groups that have trained so far, and the moments of the last of these stages. */
function checkpointBytes<Batch>(recipe: Recipe, { groups }: Objective<Batch>, stages: readonly string[]) {
  const trained = stages.map((name) => {
    const stage = recipe.stages[name];
    return stage === undefined ? [] : trainedGroups(stage, groups);
  });
  const size = (names: Iterable<string>) =>
    [...names].reduce((sum, name) => sum + (groups[name]?.size ?? 0), 0);
  const values = size(new Set(trained.flat())) + 2 * size(trained.at(-1) ?? []);
  return CHECKPOINT_COPIES * VALUE_BYTES * values;
}

/** Resident bytes of this process without its garbage. */
async function settledResident(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) {
    collect();
    // Array buffers go back in the background.
    await setTimeout(100);
  }
  return process.memoryUsage.rss();
}

/** The estimate as a table. */
export function memoryTable(stages: readonly StageMemory[]): string {
  const size = (value: number | null) => (value === null ? "unknown" : bytes(value));
  const rows = stages.map((s) => [
    s.stage,
    String(s.steps),
    bytes(s.parameters),
    size(s.training),
    size(s.saving),
    size(s.resident),
  ]);
  return table(
    ["STAGE", "STEPS", "PARAMETERS", "TRAINING ADDS", "A CHECKPOINT ADDS", "PEAK OF THE PROCESS"],
    rows,
  );
}

/**
 * Stops a run that would take more memory than it may. No limit: anything goes.
 *
 * @throws {@link BasicError} `E_MEMORY_LIMIT` with all sizes.
 */
export function checkMemoryLimit(stages: readonly StageMemory[], limit: number | undefined): void {
  if (limit === undefined) return;
  const over = stages.find(({ resident }) => resident === null || resident > limit);
  if (over === undefined) return;
  if (over.resident === null || over.training === null) {
    throw new BasicError(
      "E_MEMORY_LIMIT",
      "The memory of a run cannot be predicted on this backend, so --memory-limit cannot hold. Leave it out.",
    );
  }
  const before = over.resident - over.training - over.saving;
  throw new BasicError(
    "E_MEMORY_LIMIT",
    `Stage "${over.stage}" would take ${bytes(over.resident)}, and the limit is ${bytes(limit)}: ` +
      `${bytes(before)} for the process with data and parameters (${bytes(over.parameters)}), ` +
      `${bytes(over.training)} for gradients, moments and activations, ${bytes(over.saving)} while a checkpoint is ` +
      "written. " +
      "Lower batchSize (and raise accumulate), train fewer parts, or raise the limit.",
  );
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

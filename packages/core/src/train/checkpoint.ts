import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import type { MomentStorage } from "../kernels/moments.js";
import type { HostMoment, LazyMoment, Optimizer, OptimizerState } from "../optim/adamw.js";
import type { Parameter, ParameterSet } from "../parameters.js";
import type { RunStore } from "./run-store.js";
import { decodeTensors, type HostTensor, type LazyHostTensor, tensorPieces } from "./state.js";

/** Folder of the checkpoints in a run. */
export const CHECKPOINT_FOLDER = "checkpoints";
const TENSOR_FILE = "state.safetensors";
const POSITION_FILE = "position.json";
const VERSION = 1;
const KEPT = 2;

/** Parameter sets by group name. */
export type Groups = Readonly<Record<string, ParameterSet>>;

/** Where a run stands: everything that is not a tensor. */
export interface RunPosition {
  readonly version: 1;
  readonly stage: string;
  /** Finished optimizer steps of the stage. */
  readonly step: number;
  readonly globalStep: number;
  /** Lines of metrics.jsonl at this point. */
  readonly metricsLines: number;
  /** Samples of the stage's data. Absent in checkpoints of older programs, as the next one. */
  readonly samples?: number;
  readonly ranks?: number;
  /** {@link fingerprint} of the weights of each group that have not trained: the checkpoint does not hold them. */
  readonly frozen?: Readonly<Record<string, string>>;
}

/** A checkpoint on the host. */
export interface Checkpoint {
  /** For example `checkpoints/step-00000200`. */
  readonly folder: string;
  readonly position: RunPosition;
  /** By `group/parameter`. */
  readonly parameters: ReadonlyMap<string, HostTensor>;
  readonly optimizer: OptimizerState;
}

/** Which checkpoint to continue from: the newest, or the one before it (after damage). */
export type CheckpointChoice = "last" | "previous";

/** Folder of the checkpoint after a number of steps. */
export function checkpointFolder(globalStep: number): string {
  return `${CHECKPOINT_FOLDER}/step-${String(globalStep).padStart(8, "0")}`;
}

/** Folders of all checkpoints, oldest first. */
export async function listCheckpoints(store: RunStore): Promise<readonly string[]> {
  const names = (await store.exists(CHECKPOINT_FOLDER)) ? await store.list(CHECKPOINT_FOLDER) : [];
  const checkpoints = names.filter((name) => /^step-\d{8,}$/.test(name)).sort();
  return checkpoints.map((name) => `${CHECKPOINT_FOLDER}/${name}`);
}

/**
 * Writes the whole state of a run and removes all but the last two checkpoints. Its tensors are copied to the
 * host a piece at a time: nothing may change parameters or moments until it is done.
 *
 * @param groups - The groups that have trained so far.
 * @returns The folder.
 * @throws {@link BasicError} `E_NOT_FINITE` where a weight is NaN or infinite: such a state is never saved.
 */
export async function saveCheckpoint(
  store: RunStore,
  state: { position: RunPosition; groups: Groups; optimizer: Optimizer },
): Promise<string> {
  const { position, groups, optimizer } = state;
  const { step, health, moments, tensors } = await optimizer.openState();
  const parameters = Object.entries(groups).flatMap(([group, set]) =>
    [...set].map((parameter) => lazyParameter(group, parameter)),
  );
  const stored = tensors.map(lazyMoment);
  const isPacked = ({ dtype }: LazyHostTensor) => dtype === "I32";
  const flags: LazyHostTensor = {
    name: "health",
    shape: [health.length],
    dtype: "F32",
    values: async () => health,
  };
  const all = [...parameters, ...stored.filter((one) => !isPacked(one)), flags, ...stored.filter(isPacked)];
  const folder = checkpointFolder(position.globalStep);
  const metadata = { optimizerStep: String(step), ...(moments !== undefined && { moments }) };
  await store.writeFolder(folder, {
    [POSITION_FILE]: new TextEncoder().encode(JSON.stringify(position)),
    [TENSOR_FILE]: tensorPieces(all, metadata),
  });
  for (const old of (await listCheckpoints(store)).slice(0, -KEPT)) await store.remove(old);
  return folder;
}

function lazyParameter(group: string, parameter: Parameter): LazyHostTensor {
  const { name, shape } = parameter;
  return {
    name: `parameter/${group}/${name}`,
    shape,
    dtype: "F32",
    values: async () => {
      const values = (await parameter.value.data()) as Float32Array;
      checkFinite(values, group, name);
      return values;
    },
  };
}

function lazyMoment({ key, which, size, isPacked, read }: LazyMoment): LazyHostTensor {
  return { name: `${which}/${key}`, shape: [size], dtype: isPacked ? "I32" : "F32", values: read };
}

function checkFinite(values: Float32Array, group: string, name: string): void {
  if (values.every(Number.isFinite)) return;
  throw new BasicError(
    "E_NOT_FINITE",
    `Parameter "${name}" of group "${group}" became NaN or infinite in an update. ` +
      "The last checkpoint is kept. Lower the learning rate, or lengthen the warm-up.",
  );
}

/**
 * Reads the newest checkpoint, or the one before it.
 *
 * @returns null where the run has none yet.
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where it is damaged; the text names the one before it.
 */
export async function loadCheckpoint(store: RunStore, choice: CheckpointChoice): Promise<Checkpoint | null> {
  const folders = await listCheckpoints(store);
  if (choice === "previous") {
    const folder = folders.at(-2);
    if (folder !== undefined) return readCheckpoint(store, folder);
    throw new BasicError(
      "E_CHECKPOINT_MISSING",
      `${store.location} has no checkpoint before the last one. Start the run again in another folder.`,
    );
  }
  const last = folders.at(-1);
  if (last === undefined) return null;
  try {
    return await readCheckpoint(store, last);
  } catch (error) {
    if (!(error instanceof BasicError) || error.code !== "E_CHECKPOINT_CORRUPT") throw error;
    const previous = folders.at(-2);
    const advice =
      previous === undefined
        ? "There is no earlier one: start the run again in another folder."
        : `The one before it is ${previous}: to continue from there, resume with "previous" (--resume --previous).`;
    const text = error.message.replace(/ \[E_CHECKPOINT_CORRUPT\]$/, "");
    throw new BasicError("E_CHECKPOINT_CORRUPT", `${text} ${advice}`, { cause: error });
  }
}

/**
 * Reads one checkpoint.
 *
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where it is damaged or incomplete, `E_RESUME_CHANGED` where
 * another version of the format wrote it.
 */
export async function readCheckpoint(store: RunStore, folder: string): Promise<Checkpoint> {
  const files = await store.readFolder(folder);
  const {
    tensors,
    words = new Map(),
    metadata,
  } = decodeTensors(files[TENSOR_FILE] ?? new Uint8Array(), folder);
  const position = parsePosition(files[POSITION_FILE], folder);
  const step = Number(metadata["optimizerStep"]);
  const health = tensors.get("health")?.values;
  if (!isCount(step)) {
    throw corrupt(
      folder,
      `\`optimizerStep\` is ${metadata["optimizerStep"] ?? "missing"}, expected a whole number`,
    );
  }
  if (health?.length !== 2) {
    throw corrupt(folder, `the tensor "health" ${health === undefined ? "is missing" : "has not 2 values"}`);
  }
  const named = (prefix: string) =>
    [...tensors].flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  const values = (prefix: string) =>
    new Map<string, HostMoment>([
      ...named(prefix).map(([name, tensor]) => [name, tensor.values] as const),
      ...[...words].flatMap(([name, packed]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), packed] as const] : [],
      ),
    ]);
  const moments = metadata["moments"] as MomentStorage | undefined;
  return {
    folder,
    position,
    parameters: new Map(named("parameter/")),
    optimizer: {
      step,
      health,
      first: values("first/"),
      second: values("second/"),
      ...(moments !== undefined && { moments }),
    },
  };
}

function parsePosition(bytes: Uint8Array | undefined, folder: string): RunPosition {
  if (bytes === undefined) throw corrupt(folder, `the file ${POSITION_FILE} is missing`);
  let position: Partial<RunPosition> | null;
  try {
    position = JSON.parse(new TextDecoder().decode(bytes)) as Partial<RunPosition> | null;
  } catch (error) {
    throw corrupt(folder, `${POSITION_FILE} is not JSON`, error);
  }
  const { version, stage, step, globalStep, metricsLines } = position ?? {};
  if (version !== undefined && version !== VERSION) {
    throw new BasicError(
      "E_RESUME_CHANGED",
      `Checkpoint ${folder} has version ${String(version)} of the format, but this program reads version ${VERSION}. ` +
        "Resume with the release that wrote it, or start a new run in another folder.",
    );
  }
  const counts = { version, step, globalStep, metricsLines };
  for (const [name, value] of Object.entries({ ...counts, stage })) {
    const good = name === "stage" ? typeof value === "string" : isCount(value);
    if (!good)
      throw corrupt(folder, `\`${name}\` of ${POSITION_FILE} is ${JSON.stringify(value) ?? "missing"}`);
  }
  return position as RunPosition;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function corrupt(folder: string, problem: string, cause?: unknown): BasicError {
  return new BasicError("E_CHECKPOINT_CORRUPT", `Checkpoint ${folder} is damaged: ${problem}.`, { cause });
}

/**
 * Puts a checkpoint's values into the parameters that it holds; groups that it does not hold stay as they are.
 *
 * @param expected - What it must hold of its groups, for runs that train groups in part ({@link trainedParts}). Default:
 *   all of them.
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where the model lacks one of them or has another shape, or
 * where the checkpoint lacks a parameter of a group that it holds.
 */
export function restoreParameters(checkpoint: Checkpoint, groups: Groups, expected: Groups = groups): void {
  checkComplete(checkpoint, expected);
  for (const [key, { shape, values }] of checkpoint.parameters) {
    const [group, name] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
    const set = groups[group];
    const parameter = set?.has(name) ? set.get(name) : undefined;
    if (parameter?.shape.join() !== shape.join()) {
      throw new BasicError(
        "E_CHECKPOINT_CORRUPT",
        `Checkpoint ${checkpoint.folder} holds "${key}" [${shape.join(", ")}], ` +
          `${parameter === undefined ? "which the model lacks" : `but the model's is [${parameter.shape.join(", ")}]`}. ` +
          "It belongs to another model; use the recipe that wrote it.",
      );
    }
    parameter.assign(tf.tensor(values.slice(), [...shape], "float32"));
  }
}

function checkComplete({ folder, parameters }: Checkpoint, groups: Groups): void {
  const held = new Set([...parameters.keys()].map((key) => key.slice(0, key.indexOf("/"))));
  for (const [group, set] of Object.entries(groups)) {
    if (!held.has(group)) continue;
    for (const { name, shape } of set) {
      if (parameters.has(`${group}/${name}`)) continue;
      throw new BasicError(
        "E_CHECKPOINT_CORRUPT",
        `Checkpoint ${folder} lacks "${group}/${name}" [${shape.join(", ")}], which the model has. ` +
          "It belongs to another model; use the recipe that wrote it.",
      );
    }
  }
}

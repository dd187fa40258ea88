import { BasicError } from "../errors.js";
import type { Recipe } from "../recipe.js";
import { diffRecipes, formatDifferences } from "../recipe-diff.js";
import {
  type Checkpoint,
  type CheckpointChoice,
  listCheckpoints,
  loadCheckpoint,
  readCheckpoint,
} from "./checkpoint.js";
import type { Collective } from "./collective.js";
import { METRICS_FILE, type MetricsLine, readMetrics } from "./metrics.js";
import type { RunStore } from "./run-store.js";

/** Name of the expanded recipe in the run folder. */
export const RECIPE_FILE = "recipe.json";

/** What {@link openRun} needs. */
export interface OpenRunInput {
  readonly recipe: Recipe;
  readonly store: RunStore;
  readonly resume: CheckpointChoice | undefined;
  readonly collective: Collective;
}

/** A run that is ready to start or to go on. */
export interface OpenedRun {
  /** null: from the beginning. */
  readonly checkpoint: Checkpoint | null;
  /** Lines of metrics.jsonl up to the checkpoint. */
  readonly lines: readonly MetricsLine[];
}

/**
 * Starts a run in a store, or finds the place to continue from and cuts metrics.jsonl back to it.
 *
 * @throws {@link BasicError} `E_USAGE` where a new run would overwrite one; `E_CHECKPOINT_MISSING` where there
 * is none to resume; `E_RESUME_CHANGED` with the differing fields; `E_CHECKPOINT_CORRUPT`.
 */
export async function openRun(input: OpenRunInput): Promise<OpenedRun> {
  const { store, collective } = input;
  if (collective.rank !== 0) {
    const folder = new TextDecoder().decode((await collective.broadcast(null)) ?? new Uint8Array());
    return { checkpoint: folder === "" ? null : await readCheckpoint(store, folder), lines: [] };
  }
  const checkpoint = input.resume === undefined ? await begin(input) : await continueRun(input, input.resume);
  await collective.broadcast(new TextEncoder().encode(checkpoint?.folder ?? ""));
  return { checkpoint, lines: checkpoint === null ? [] : await readMetrics(store) };
}

async function begin({ recipe, store }: OpenRunInput): Promise<null> {
  if (await store.exists(RECIPE_FILE)) {
    throw new BasicError(
      "E_USAGE",
      `There is a run in ${store.location} already. Resume it, remove it, or choose another folder.`,
    );
  }
  await store.write(RECIPE_FILE, new TextEncoder().encode(`${JSON.stringify(recipe, null, 2)}\n`));
  return null;
}

async function continueRun(
  { recipe, store }: OpenRunInput,
  choice: CheckpointChoice,
): Promise<Checkpoint | null> {
  if (!(await store.exists(RECIPE_FILE))) {
    throw new BasicError(
      "E_CHECKPOINT_MISSING",
      `There is no run in ${store.location} to resume. Start one without resume, or name its folder.`,
    );
  }
  await checkSameRecipe(recipe, store);
  const checkpoint = await loadCheckpoint(store, choice);
  const folders = await listCheckpoints(store);
  const later = checkpoint === null ? [] : folders.slice(folders.indexOf(checkpoint.folder) + 1);
  for (const folder of later) await store.remove(folder);
  if (await store.exists(METRICS_FILE)) {
    await store.truncateLines(METRICS_FILE, checkpoint?.position.metricsLines ?? 0);
  }
  return checkpoint;
}

async function checkSameRecipe(recipe: Recipe, store: RunStore): Promise<void> {
  const stored: unknown = JSON.parse(new TextDecoder().decode(await store.read(RECIPE_FILE)));
  const given: unknown = JSON.parse(JSON.stringify(recipe));
  const differences = diffRecipes(stored, given).filter(({ path }) => path !== "description");
  if (differences.length === 0) return;
  throw new BasicError(
    "E_RESUME_CHANGED",
    `The recipe is not the one that the run in ${store.location} was started with:\n${formatDifferences(differences)}\n` +
      "Resume with the old values, or start a new run in another folder.",
  );
}

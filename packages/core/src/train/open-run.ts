import { BasicError } from "../errors.js";
import type { Recipe } from "../recipe.js";
import { diffRecipes, formatDifferences, type RecipeDifference } from "../recipe-diff.js";
import {
  type Checkpoint,
  type CheckpointChoice,
  listCheckpoints,
  loadCheckpoint,
  readCheckpoint,
} from "./checkpoint.js";
import { type Collective, hearFirstRank, onFirstRank } from "./collective.js";
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
  /** Frees the store for others. */
  release(): Promise<void>;
}

/**
 * Takes the store, and starts a run in it, or finds the place to continue from and cuts metrics.jsonl back to it.
 *
 * @throws {@link BasicError} `E_RUN_LOCKED`; `E_USAGE` where a new run would overwrite one; `E_CHECKPOINT_MISSING` where there
 * is none to resume; `E_RESUME_CHANGED` with the differing fields; `E_CHECKPOINT_CORRUPT`.
 */
export async function openRun(input: OpenRunInput): Promise<OpenedRun> {
  const { store, collective } = input;
  if (collective.rank === 0) {
    return onFirstRank(
      collective,
      () => openFirst(input),
      ({ checkpoint }) => checkpoint?.folder ?? "",
    );
  }
  const folder = await hearFirstRank(collective);
  const checkpoint = folder === "" ? null : await readCheckpoint(store, folder);
  return { checkpoint, lines: [], release: async () => undefined };
}

async function openFirst(input: OpenRunInput): Promise<OpenedRun> {
  const { store, resume } = input;
  const release = await store.lock();
  try {
    const checkpoint = resume === undefined ? await begin(input) : await continueRun(input, resume);
    return { checkpoint, lines: checkpoint === null ? [] : await readMetrics(store), release };
  } catch (error) {
    await release();
    throw error;
  }
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
  { recipe, store, collective }: OpenRunInput,
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
  if (checkpoint !== null) checkSameRanks(checkpoint, collective);
  const folders = await listCheckpoints(store);
  const later = checkpoint === null ? [] : folders.slice(folders.indexOf(checkpoint.folder) + 1);
  for (const folder of later) await store.remove(folder);
  if (await store.exists(METRICS_FILE)) {
    await store.truncateLines(METRICS_FILE, checkpoint?.position.metricsLines ?? 0);
  }
  return checkpoint;
}

async function checkSameRecipe(recipe: Recipe, store: RunStore): Promise<void> {
  const stored = await readRecipe(store);
  const given: unknown = JSON.parse(JSON.stringify(recipe));
  const differences = [
    ...diffRecipes(stored, given).filter(({ path }) => path !== "description"),
    ...stageOrder(stored, given),
  ];
  if (differences.length === 0) return;
  throw new BasicError(
    "E_RESUME_CHANGED",
    `The recipe is not the one that the run in ${store.location} was started with:\n${formatDifferences(differences)}\n` +
      "Resume with the old values, or start a new run in another folder.",
  );
}

async function readRecipe(store: RunStore): Promise<unknown> {
  const text = new TextDecoder().decode(await store.read(RECIPE_FILE));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BasicError(
      "E_CHECKPOINT_CORRUPT",
      `${RECIPE_FILE} of the run in ${store.location} is not JSON. ` +
        "Put back the file that the run was started with, or start a new run in another folder.",
      { cause: error },
    );
  }
}

/** The same stages in another order: no field differs, but the run would. */
function stageOrder(stored: unknown, given: unknown): readonly RecipeDifference[] {
  const namesOf = (recipe: unknown) => Object.keys((recipe as Partial<Recipe> | null)?.stages ?? {});
  const [before, after] = [namesOf(stored), namesOf(given)];
  const same = [...before].sort().join() === [...after].sort().join();
  return same && before.join() !== after.join() ? [{ path: "stages (order)", before, after }] : [];
}

/** Another number of ranks would pick other samples. */
function checkSameRanks({ position }: Checkpoint, { size }: Collective): void {
  if (position.ranks === undefined || position.ranks === size) return;
  throw new BasicError(
    "E_RESUME_CHANGED",
    `The run was started on ${position.ranks} ranks, but resumes on ${size}. ` +
      `Resume on ${position.ranks}, or start a new run in another folder.`,
  );
}

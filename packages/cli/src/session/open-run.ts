import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  BasicError,
  type Checkpoint,
  checkSameFrozen,
  frozenFingerprints,
  type Groups,
  type Lora,
  loadCheckpoint,
  parseRecipe,
  RECIPE_FILE,
  type Recipe,
  restoreParameters,
  trainedParts,
} from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";
import { createDiskStore } from "@basic-mllm/weights";

import { readRunJson } from "./json-file.js";
import { lookForPluginsIn } from "./plugins.js";
import { holdsModel, restoreAdapters, restoreModel } from "./restore-model.js";
import { holdsParts, restoreParts } from "./vlm-save.js";

/** What to do about a run whose recipe cannot be read. */
export const DAMAGED_RECIPE =
  "Put back the recipe that the run was trained with (`basic-mllm check RECIPE --expand` prints it), or train in another folder.";

/** Where the weights of a run came from. */
export interface RestoredWeights {
  /** `checkpoints/step-00000200`, or `model`. */
  readonly from: string;
  /** Optimizer steps behind them, where a checkpoint says so. */
  readonly globalStep: number | null;
}

/**
 * The recipe that a run folder was trained with.
 *
 * @throws `BasicError` `E_USAGE` where the folder holds no run.
 */
export async function readRunRecipe(folder: string): Promise<Recipe> {
  const path = join(folder, RECIPE_FILE);
  if (!existsSync(path)) {
    throw new BasicError(
      "E_USAGE",
      `There is no run in ${folder}: expected ${path}. Give the folder that \`basic-mllm train\` wrote, for example runs/quickstart-0.`,
    );
  }
  lookForPluginsIn(folder);
  return parseRecipe(await readRunJson(path, DAMAGED_RECIPE));
}

/** A recipe that opens what its trained model needs, and no more: the first training set has the statistics of features. */
export function withoutTraining<R extends Recipe>(recipe: R, use: { readonly evaluation: boolean }): R {
  const [first] = Object.entries(recipe.data.train);
  const needsStatistics = recipe.task === "vlm" && recipe.features.standardise;
  const train =
    first === undefined ? {} : { [first[0]]: { ...first[1], ...(!needsStatistics && { limit: 1 }) } };
  const evaluation = use.evaluation ? recipe.data.evaluation : {};
  return { ...recipe, data: { ...recipe.data, train, evaluation } };
}

/** A model that {@link restoreRun} puts weights into. */
export interface OpenedModel {
  readonly recipe: Recipe;
  readonly groups: Groups;
  /** Adapters of the language model, where it has some. */
  readonly lora: Lora | null;
  /** Of the standardised features, where the recipe standardises. */
  readonly statistics?: ChannelStatistics | null;
}

/**
 * Puts the trained weights of a run into its opened model: those of the last checkpoint, else of `model/`.
 *
 * @throws `BasicError` `E_CHECKPOINT_MISSING` where the run has neither, `E_RESUME_CHANGED` where its base is another,
 *   `E_WEIGHTS_MISSING`.
 */
export async function restoreRun(
  folder: string,
  { recipe, groups, lora, statistics = null }: OpenedModel,
): Promise<RestoredWeights> {
  const checkpoint = await loadCheckpoint(createDiskStore(folder), "last");
  if (checkpoint !== null) {
    await restoreCheckpoint(checkpoint, recipe, groups);
    return { from: checkpoint.folder, globalStep: checkpoint.position.globalStep };
  }
  const model = join(folder, "model");
  const parts = { groups, lora };
  if (holdsParts(model)) {
    restoreAdapters(model, parts);
    await restoreParts(model, parts);
    return { from: "model", globalStep: null };
  }
  if (!holdsModel(model)) {
    throw new BasicError(
      "E_CHECKPOINT_MISSING",
      `The run in ${folder} has no trained weights: neither a checkpoint nor ${model}. Train it first, or resume it.`,
    );
  }
  restoreAdapters(model, parts);
  await restoreModel(model, parts, statistics);
  return { from: "model", globalStep: null };
}

/** A checkpoint holds what its stages have trained; the rest must be what it was. */
async function restoreCheckpoint(checkpoint: Checkpoint, recipe: Recipe, groups: Groups): Promise<void> {
  const names = Object.keys(recipe.stages);
  const reached = names.slice(0, names.indexOf(checkpoint.position.stage) + 1);
  const stages = reached.flatMap((name) => recipe.stages[name] ?? []);
  restoreParameters(checkpoint, groups, trainedParts(stages, groups));
  checkSameFrozen(checkpoint, await frozenFingerprints(stages, groups));
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  BasicError,
  type Checkpoint,
  checkSameFrozen,
  frozenFingerprints,
  type Groups,
  loadCheckpoint,
  type ParameterSet,
  parseRecipe,
  RECIPE_FILE,
  type Recipe,
  restoreParameters,
  trainedParts,
} from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";
import { createDiskStore, loadHuggingFace } from "@basic-mllm/weights";
import * as tf from "@tensorflow/tfjs-core";

import { unfoldStatistics } from "./fold-statistics.js";
import { readRunJson } from "./json-file.js";
import { lookForPluginsIn } from "./plugins.js";
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
  /** Of the standardised features, where the recipe standardises. */
  readonly statistics?: ChannelStatistics | null;
}

/**
 * Puts the trained weights of a run into its opened model: those of the last checkpoint, else of `model/`.
 *
 * @throws `BasicError` `E_CHECKPOINT_MISSING` where the run has neither, `E_RESUME_CHANGED` where its base is another.
 */
export async function restoreRun(
  folder: string,
  { recipe, groups, statistics = null }: OpenedModel,
): Promise<RestoredWeights> {
  const checkpoint = await loadCheckpoint(createDiskStore(folder), "last");
  if (checkpoint !== null) {
    await restoreCheckpoint(checkpoint, recipe, groups);
    return { from: checkpoint.folder, globalStep: checkpoint.position.globalStep };
  }
  const model = join(folder, "model");
  if (holdsParts(model)) {
    restoreParts(model, groups);
    silenceAdapters(groups);
    return { from: "model", globalStep: null };
  }
  if (!existsSync(join(model, "config.json"))) {
    throw new BasicError(
      "E_CHECKPOINT_MISSING",
      `The run in ${folder} has no trained weights: neither a checkpoint nor ${model}. Train it first, or resume it.`,
    );
  }
  await restoreModel(model, groups, statistics);
  silenceAdapters(groups);
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

/** A saved model has the updates of its adapters in its weights. */
function silenceAdapters({ lora }: Groups): void {
  for (const parameter of lora ?? []) {
    if (parameter.name.endsWith(".lora_B.weight")) parameter.assign(tf.zerosLike(parameter.value));
  }
}

/** A saved model standardises features in its projector; here they come standardised. */
async function restoreModel(
  folder: string,
  groups: Groups,
  statistics: ChannelStatistics | null,
): Promise<void> {
  const saved = await loadHuggingFace(folder);
  const unfold = saved.kind === "llava" && statistics !== null;
  const loaded = unfold
    ? { ...saved, projector: await unfoldStatistics(saved.projector, statistics) }
    : saved;
  if (unfold) saved.projector.parameters.dispose();
  const parts = Object.entries(loaded).flatMap(([name, part]) =>
    typeof part === "object" && "parameters" in part ? [[name, part.parameters] as const] : [],
  );
  for (const [name, parameters] of parts) {
    const group = groups[name];
    if (group !== undefined) copyParameters(parameters, group);
    parameters.dispose();
  }
}

/** Copies every value of a set to the parameter of the same name. */
export function copyParameters(from: ParameterSet, to: ParameterSet): void {
  for (const parameter of from) to.get(parameter.name).assign(tf.clone(parameter.value));
}

import { createOptimizer, type Optimizer, type ParameterGroup } from "../optim/adamw.js";
import type { RecipeStage } from "../recipe.js";
import type { Groups } from "./checkpoint.js";
import { checkSelection, selectParameters } from "./selection.js";

/**
 * Names of the groups that train in a stage, whole or in part, in the objective's order.
 *
 * @throws {@link BasicError} `E_NAME_UNKNOWN` where an entry of its `train` chooses nothing, `E_CONFIG` where it chooses
 * packed weights or a constant.
 */
export function trainedGroups(stage: RecipeStage, groups: Groups): readonly string[] {
  checkSelection(stage, groups);
  const selected = selectParameters(stage, groups);
  for (const { parameters } of selected) for (const parameter of parameters) parameter.requireTrainable();
  const trained = new Set(selected.map(({ group }) => group));
  return Object.keys(groups).filter((name) => trained.has(name) || stage.train.includes(name));
}

/**
 * Sets `trainable` of every parameter, and returns the groups for the optimizer: one for each entry of `train`.
 *
 * @throws {@link BasicError} `E_NAME_UNKNOWN` where an entry chooses nothing.
 */
export function freezeGroups(stage: RecipeStage, groups: Groups): readonly ParameterGroup[] {
  checkSelection(stage, groups);
  for (const set of Object.values(groups)) set.setTrainable(false);
  return selectParameters(stage, groups).map(({ entry, group, parameters }) => {
    for (const parameter of parameters) parameter.trainable = true;
    return {
      name: group,
      parameters,
      learningRate: valueFor(stage.learningRate, entry, stage.train),
      weightDecay: valueFor(stage.weightDecay, entry, stage.train),
    };
  });
}

/** {@link freezeGroups}, and an optimizer of what trains in a stage. */
export function createStageOptimizer(stage: RecipeStage, groups: Groups): Optimizer {
  const { betas, epsilon, maxNorm, moments = "float32" } = stage;
  return createOptimizer({ groups: freezeGroups(stage, groups), betas, epsilon, maxNorm, moments });
}

/** A loss's own weights take the projector's value. */
function valueFor(
  setting: number | Readonly<Record<string, number>>,
  entry: string,
  train: readonly string[],
): number {
  if (typeof setting === "number") return setting;
  const projector = train.find((text) => /^projector(?![^./])/.test(text));
  return setting[entry] ?? (entry === "losses" ? setting[projector ?? ""] : undefined) ?? 0;
}

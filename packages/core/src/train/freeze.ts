import { BasicError } from "../errors.js";
import { didYouMean } from "../nearest.js";
import type { ParameterGroup } from "../optim/adamw.js";
import type { RecipeStage } from "../recipe.js";
import type { Groups } from "./checkpoint.js";

/** Weights of the losses themselves: they train whenever the projector does. */
const LOSS_GROUP = "losses";

/** Names of the groups that a stage trains, where the objective has them. */
export function trainedNames(stage: RecipeStage): readonly string[] {
  return [...stage.train, ...(stage.train.includes("projector") ? [LOSS_GROUP] : [])];
}

/**
 * Names of the groups that train in a stage, in the objective's order.
 *
 * @throws {@link BasicError} `E_NAME_UNKNOWN` where the objective has no such group.
 */
export function trainedGroups(stage: RecipeStage, groups: Groups): readonly string[] {
  const known = Object.keys(groups);
  for (const name of stage.train) {
    if (known.includes(name)) continue;
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `There is no parameter group "${name}" to train.${didYouMean(name, known)} Known: ${known.join(", ")}.`,
    );
  }
  const trained = trainedNames(stage);
  return known.filter((name) => trained.includes(name));
}

/** Sets `trainable` of every parameter, and returns the groups for the optimizer. */
export function freezeGroups(stage: RecipeStage, groups: Groups): readonly ParameterGroup[] {
  const trained = trainedGroups(stage, groups);
  for (const [name, set] of Object.entries(groups)) set.setTrainable(trained.includes(name));
  return trained.map((name) => ({
    name,
    parameters: [...(groups[name] ?? [])],
    learningRate: valueFor(stage.learningRate, name),
    weightDecay: valueFor(stage.weightDecay, name),
  }));
}

/** A loss's own weights take the projector's value. */
function valueFor(setting: number | Readonly<Record<string, number>>, group: string): number {
  if (typeof setting === "number") return setting;
  return setting[group] ?? (group === LOSS_GROUP ? setting["projector"] : undefined) ?? 0;
}

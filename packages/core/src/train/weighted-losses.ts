import { BasicError } from "../errors.js";
import { lossOptions, type SupervisionOptions } from "../losses/built-in.js";
import { checkLoss } from "../losses/check-loss.js";
import type { VisualLoss } from "../losses/visual-loss.js";
import type { ComponentOptions, LossContext, LossFactory } from "../registry.js";
import type { StepPosition } from "./objective.js";

/** λ of a loss in a stage, as recipes write it. */
export interface LossSetting {
  /** After the ramp. 0: computed and logged, without gradient. */
  readonly weight: number;
  /** Optimizer step of the stage at which it begins. */
  readonly start: number;
  /** Steps over which it grows from 0 to `weight`. */
  readonly ramp: number;
  readonly options: ComponentOptions;
}

/** A loss of the objective and its λ over time. */
export interface WeightedLoss {
  /** Of its part in metrics: its name in the recipe. Default: that of the loss. */
  readonly name?: string;
  readonly loss: VisualLoss;
  /** λ at a step; null where the stage leaves the loss out: it then costs nothing. */
  readonly weightAt: (position: StepPosition) => number | null;
}

/** λ of a setting at an optimizer step of its stage: 0 before `start`, then a straight line to `weight`. */
export function weightAtStep({ weight, start, ramp }: LossSetting, step: number): number {
  if (step < start) return 0;
  return ramp === 0 ? weight : weight * Math.min(1, (step - start) / ramp);
}

/** λ of the language loss by stage and step, for {@link VlmObjectiveOptions.languageWeightAt}; 1 where a stage has none. */
export function languageWeight(
  stages: Readonly<Record<string, Readonly<Record<string, LossSetting>>>>,
): (position: StepPosition) => number {
  return ({ stage, step }) => {
    const setting = stages[stage]?.["language"];
    return setting === undefined ? 1 : weightAtStep(setting, step);
  };
}

/** What {@link createWeightedLosses} makes losses with. */
export interface WeightedLossOptions {
  readonly supervision: SupervisionOptions;
  readonly context: Omit<LossContext, "options">;
  /** Finds a loss by name, for example `losses.get` of the registry. */
  readonly find: (name: string) => LossFactory;
}

/**
 * Makes the visual losses of all stages of a recipe.
 *
 * A loss with the same options in two stages is one loss: its own weights go on training.
 *
 * @param stages - By stage: settings by loss name. `language` is not a visual loss and is passed over.
 * @throws {@link BasicError} `E_RECIPE_INVALID` where options do not fit a loss; `language` has none.
 * `E_CONFIG` where a factory makes no loss.
 */
export function createWeightedLosses(
  stages: Readonly<Record<string, Readonly<Record<string, LossSetting>>>>,
  { supervision, context, find }: WeightedLossOptions,
): readonly WeightedLoss[] {
  const found = new Map<
    string,
    { name: string; options: ComponentOptions; byStage: Map<string, LossSetting> }
  >();
  for (const [stage, settings] of Object.entries(stages)) {
    for (const [name, setting] of Object.entries(settings)) {
      if (name === "language") {
        checkNoOptions(stage, setting);
        continue;
      }
      const options = lossOptions(name, supervision, setting.options);
      const key = JSON.stringify([name, Object.entries(options).sort()]);
      const entry = found.get(key) ?? { name, options, byStage: new Map() };
      entry.byStage.set(stage, setting);
      found.set(key, entry);
    }
  }
  return [...found.values()].map(({ name, options, byStage }) => ({
    name,
    loss: checkLoss(name, find(name)({ ...context, options })),
    weightAt: ({ stage, step }) => {
      const setting = byStage.get(stage);
      return setting === undefined ? null : weightAtStep(setting, step);
    },
  }));
}

function checkNoOptions(stage: string, { options }: LossSetting): void {
  const given = Object.keys(options);
  if (given.length === 0) return;
  throw new BasicError(
    "E_RECIPE_INVALID",
    `The loss "language" of stage "${stage}" has no options, got ${given.join(", ")}. ` +
      "Remove them; `weight`, `start` and `ramp` stand beside `options`.",
  );
}

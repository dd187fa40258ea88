import { join } from "node:path";
import {
  applyOverrides,
  BasicError,
  didYouMean,
  parseRecipe,
  type Recipe,
  type VlmRecipe,
} from "@basic-mllm/core";
import { lossVariants, presets, type Variant } from "@basic-mllm/recipes";

/** One run of an ablation. */
export interface PlannedRun {
  readonly variant: Variant;
  readonly seed: number;
  /** Run folder. */
  readonly out: string;
  readonly recipe: Recipe;
}

/** What {@link planRuns} puts together. */
export interface PlanInput {
  readonly recipe: VlmRecipe;
  readonly variants: readonly Variant[];
  readonly seeds: readonly number[];
  readonly out: string;
  /** Optimizer steps of each stage, instead of the recipe's. */
  readonly steps?: number;
}

/**
 * The variants that `--losses` or `--preset` names; the first one is what the others are compared with.
 *
 * @throws `BasicError` `E_USAGE` unless exactly one of the two is given; `E_NAME_UNKNOWN` with the nearest name.
 */
export function chooseVariants(names: readonly string[], preset: string | undefined): readonly Variant[] {
  if ((names.length === 0) === (preset === undefined)) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm ablate: give either --losses or --preset. Losses: ${nameList()}. Presets: ${Object.keys(presets).join(", ")}.`,
    );
  }
  if (preset !== undefined) {
    const found = Object.hasOwn(presets, preset) ? presets[preset] : undefined;
    if (found !== undefined) return found;
    throw unknown("preset", preset, Object.keys(presets));
  }
  return [...new Set(names)].map((name) => {
    const found = lossVariants.find((variant) => variant.name === name);
    if (found !== undefined) return found;
    throw unknown(
      "loss variant",
      name,
      lossVariants.map((variant) => variant.name),
    );
  });
}

function nameList(): string {
  return lossVariants.map(({ name }) => name).join(", ");
}

function unknown(kind: string, name: string, known: readonly string[]): BasicError {
  return new BasicError(
    "E_NAME_UNKNOWN",
    `There is no ${kind} "${name}".${didYouMean(name, known)} Known: ${known.join(", ")}.`,
  );
}

/** Every variant with every seed: all variants of a seed first, so that an early stop leaves whole comparisons. */
export function planRuns(input: PlanInput): readonly PlannedRun[] {
  const { recipe, variants, seeds, out } = input;
  // A seed that is named twice would be one folder for two runs, and count twice.
  return [...new Set(seeds)].flatMap((seed) =>
    variants.map((variant) => ({
      variant,
      seed,
      out: join(out, `${variant.name}-${seed}`),
      recipe: variantRecipe(recipe, variant, {
        seed,
        ...(input.steps !== undefined && { steps: input.steps }),
      }),
    })),
  );
}

/**
 * The recipe of one variant.
 *
 * @throws `BasicError` `E_RECIPE_INVALID` where the recipe lacks a stage that the variant sets losses in.
 */
function variantRecipe(
  recipe: VlmRecipe,
  variant: Variant,
  change: { seed: number; steps?: number },
): Recipe {
  const names = Object.keys(recipe.stages);
  const missing = Object.keys(variant.losses ?? {}).find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `Variant "${variant.name}" sets the losses of stage "${missing}", and recipe "${recipe.name}" has the stages ${names.join(", ")}. Name its stages align and finetune.`,
    );
  }
  const stages = Object.entries(recipe.stages).map(([name, stage]) => {
    const losses = variant.losses?.[name];
    const language = stage.losses["language"];
    return [
      name,
      {
        ...stage,
        ...(losses !== undefined && { losses: { ...(language && { language }), ...losses } }),
        ...(change.steps !== undefined && { steps: change.steps }),
      },
    ];
  });
  const changed = parseRecipe({
    ...recipe,
    name: `${recipe.name}-${variant.name}`,
    description: variant.description,
    seed: change.seed,
    stages: Object.fromEntries(stages),
    evaluation: { ...recipe.evaluation, blind: false },
  });
  return applyOverrides(changed, variant.set ?? []);
}

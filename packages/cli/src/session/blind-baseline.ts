import {
  BasicError,
  type CheckpointChoice,
  loadCheckpoint,
  RECIPE_FILE,
  type RecipeStage,
  type RunStore,
  trainedShare,
  type VlmRecipe,
} from "@basic-mllm/core";

/** Groups that words pass through. */
const WORDS = ["language", "lora"];
/** A run writes it when it is finished. */
export const EVALUATION_FILE = "evaluation.json";

/** Whether there is anything to train in a baseline of this recipe. */
export function hasBlindStages({ stages }: VlmRecipe): boolean {
  return Object.values(stages).some(trainsWords);
}

function trainsWords(stage: RecipeStage): boolean {
  return WORDS.some((group) => trainedShare(stage, group) !== "none");
}

/**
 * The stages that train more than what pictures pass through, without visual losses and without evaluations on the way.
 * No stage is left where there is none: then the baseline is the language model as it came.
 */
export function blindRecipe(recipe: VlmRecipe): VlmRecipe {
  const { model, stages } = recipe;
  const kept = Object.entries(stages).filter(([, stage]) => trainsWords(stage));
  const blind = kept.map(([name, stage]) => {
    const losses = Object.fromEntries(Object.entries(stage.losses).filter(([loss]) => loss === "language"));
    return [name, { ...stage, losses, evaluateEvery: 0 }] as const;
  });
  // Pictures would scale the projector, which nothing passes through.
  return {
    ...recipe,
    model: { ...model, projectorInit: "default" },
    stages: Object.fromEntries(blind),
  };
}

/**
 * Where the baseline goes on: its last checkpoint; the one before that only where the last is damaged and the user said
 * so for the run. undefined: it starts.
 *
 * @throws `BasicError` `E_CHECKPOINT_CORRUPT`.
 */
export async function blindResume(
  store: RunStore,
  asked: CheckpointChoice | undefined,
): Promise<CheckpointChoice | undefined> {
  const count = (await store.list("checkpoints")).length;
  if (count === 0) return (await store.exists(RECIPE_FILE)) ? "last" : undefined;
  try {
    await loadCheckpoint(store, "last");
    return "last";
  } catch (error) {
    if (!(error instanceof BasicError) || error.code !== "E_CHECKPOINT_CORRUPT") throw error;
    if (asked === "previous" && count > 1) return "previous";
    const advice =
      count > 1 ? "" : ` Or remove ${store.location}, and resume the run: it trains the baseline again.`;
    const text = error.message.replace(/ \[E_CHECKPOINT_CORRUPT\]$/, "");
    throw new BasicError(
      "E_CHECKPOINT_CORRUPT",
      `The baseline without pictures in ${store.location} cannot go on. ${text}${advice}`,
      { cause: error },
    );
  }
}

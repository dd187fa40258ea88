import { BasicError } from "../errors.js";
import { type RecipeStage, resolveSteps } from "../recipe.js";
import { type Checkpoint, restoreParameters } from "./checkpoint.js";
import { singleProcess } from "./collective.js";
import { checkSameFrozen, frozenFingerprints } from "./frozen.js";
import { createMetricsWriter } from "./metrics.js";
import { type OpenedRun, openRun } from "./open-run.js";
import { checkSelection, trainedParts } from "./selection.js";
import { type RunContext, runStage, type StageOutcome } from "./stage.js";
import type { TrainOptions, TrainResult } from "./train-options.js";
import { createWatch } from "./warnings.js";

/**
 * Trains a recipe: its stages one after the other, with metrics, evaluation and checkpoints in a run store.
 *
 * Deterministic: the same recipe on the same device gives the same bits, also when it is stopped or killed
 * at any moment and resumed.
 *
 * @throws {@link BasicError} `E_NOT_FINITE`, `E_INTERRUPTED`, `E_RUN_LOCKED`, `E_DISK_FULL`, and what
 * opening a run throws: `E_USAGE`, `E_CHECKPOINT_MISSING`, `E_RESUME_CHANGED`, `E_CHECKPOINT_CORRUPT`.
 */
export async function train<Batch>(options: TrainOptions<Batch>): Promise<TrainResult> {
  const { collective = singleProcess, store, recipe, resume } = options;
  const opened = await openRun({ recipe, store, resume, collective });
  try {
    return await runStages(options, opened);
  } finally {
    await opened.release();
  }
}

async function runStages<Batch>(options: TrainOptions<Batch>, opened: OpenedRun): Promise<TrainResult> {
  const { collective = singleProcess, store, recipe } = options;
  const { checkpoint, lines } = opened;
  const names = Object.keys(recipe.stages);
  const current = checkpoint === null ? 0 : stageOf(checkpoint, names);
  const stagesBefore: RecipeStage[] = [];
  const context = {
    options,
    collective,
    metrics: createMetricsWriter(store, checkpoint?.position.metricsLines ?? 0),
    watch: createWatch(lines, recipe.stages),
    emit: options.onEvent ?? (() => undefined),
    stagesBefore,
  };
  let outcome: StageOutcome = {
    globalStep: checkpoint === null ? 0 : checkpoint.position.globalStep - checkpoint.position.step,
    checkpoint: checkpoint?.folder ?? "",
  };
  for (const [i, name] of names.entries()) {
    const resumed = i === current ? checkpoint : null;
    if (i >= current) outcome = await enterStage(context, { name, resumed, before: outcome });
    stagesBefore.push(recipe.stages[name] as RecipeStage);
  }
  return outcome;
}

/** Runs a stage, or what is left of it in the checkpoint. */
async function enterStage<Batch>(
  context: RunContext<Batch>,
  place: { name: string; resumed: Checkpoint | null; before: StageOutcome },
): Promise<StageOutcome> {
  const { name, resumed, before } = place;
  const { recipe, objective: makeObjective, data: makeData } = context.options;
  const stage = recipe.stages[name] as RecipeStage;
  const objective = await makeObjective(name);
  checkSelection(stage, objective.groups);
  const stages = [...context.stagesBefore, stage];
  if (resumed !== null) {
    restoreParameters(resumed, objective.groups, trainedParts(stages, objective.groups));
  }
  const frozen = await frozenFingerprints(stages, objective.groups);
  if (resumed !== null) checkSameFrozen(resumed, frozen);
  const data = await makeData(name);
  if (resumed !== null) checkSameData(resumed, data.size);
  if (resumed !== null && resumed.position.step >= resolveSteps(stage, data.size)) {
    return { globalStep: resumed.position.globalStep, checkpoint: resumed.folder };
  }
  return runStage(context, {
    name,
    stage,
    objective,
    data,
    isLast: name === Object.keys(recipe.stages).at(-1),
    firstGlobalStep: before.globalStep,
    frozen,
    resumed: resumed && { step: resumed.position.step, optimizer: resumed.optimizer },
  });
}

/** Other data would go on from the middle of another order. */
function checkSameData({ position }: Checkpoint, size: number): void {
  if (position.samples === undefined || position.samples === size) return;
  throw new BasicError(
    "E_RESUME_CHANGED",
    `The data of stage "${position.stage}" has ${size} samples, but the run was started with ${position.samples}. ` +
      "Resume with the same data, or start a new run in another folder.",
  );
}

function stageOf(checkpoint: Checkpoint, names: readonly string[]): number {
  const index = names.indexOf(checkpoint.position.stage);
  if (index >= 0) return index;
  throw new BasicError(
    "E_CHECKPOINT_CORRUPT",
    `Checkpoint ${checkpoint.folder} stands in stage "${checkpoint.position.stage}", which the recipe lacks. ` +
      `It has ${names.join(", ")}. Resume with the recipe that wrote it, or start a new run in another folder.`,
  );
}

import type { Recipe } from "./recipe.js";

/** A field that does nothing, by its path, and why. */
export interface UnusedField {
  readonly path: string;
  readonly reason: string;
}

const MULTIMODAL = "Only multimodal recipes use this";

/**
 * Fields that a recipe of another task than `vlm` sets, and that its training would ignore: what belongs to pictures
 * with questions and to visual losses.
 */
export function unusedFields(recipe: Recipe): readonly UnusedField[] {
  if (recipe.task === "vlm") return [];
  const { evaluation, data } = recipe;
  const { sets, limit, duringTraining } = evaluation;
  const changed: Readonly<Record<string, boolean>> = {
    "evaluation.sets": sets !== undefined,
    "evaluation.batchSize": evaluation.batchSize !== 32,
    "evaluation.limit": limit !== undefined,
    "evaluation.duringTraining": duringTraining !== undefined,
    "evaluation.blind": evaluation.blind,
    "evaluation.analysis": !evaluation.analysis,
    "data.evaluation": Object.keys(data.evaluation).length > 0,
    "data.folder": data.folder !== undefined,
    "data.onImageError": data.onImageError !== "error",
    "data.decode": data.decode !== undefined,
    "data.workers": data.workers !== undefined,
  };
  const mainLoss = recipe.task === "language" ? "language" : "contrastive";
  return [
    ...Object.keys(changed).flatMap((path) => (changed[path] ? [{ path, reason: MULTIMODAL }] : [])),
    ...Object.entries(recipe.stages).flatMap(([name, stage]) =>
      stageFields(`stages.${name}`, stage, mainLoss),
    ),
  ];
}

function stageFields(
  path: string,
  { template, rowBudget, packing, losses }: Recipe["stages"][string],
  mainLoss: string,
): readonly UnusedField[] {
  const weighed = Object.entries(losses).filter(([name, { weight, start, ramp, options }]) => {
    const isPlain = weight === 1 && start === 0 && ramp === 0 && Object.keys(options).length === 0;
    return name !== mainLoss || !isPlain;
  });
  return [
    ...(template === "plain" ? [] : [{ path: `${path}.template`, reason: MULTIMODAL }]),
    ...(rowBudget === 4096 || packing === "rows" ? [] : [{ path: `${path}.rowBudget`, reason: MULTIMODAL }]),
    ...weighed.map(([name]) => ({
      path: `${path}.losses.${name}`,
      reason: `This task has one loss, "${mainLoss}", of weight 1`,
    })),
  ];
}

import { BasicError, type Recipe, type RecipeStage, resolveSteps, type VlmRecipe } from "@basic-mllm/core";
import { encodeSample, findTemplate, type Sample } from "@basic-mllm/data";

import { openTask } from "./open-task.js";
import type { TaskContext } from "./task.js";
import { openVlm, type VlmSession } from "./vlm.js";

/** Samples of a set that are looked at, and pictures that a builder makes for it. */
const SAMPLE = 64;

/** What one stage would do with its data. Rows include those of pictures. */
export interface StageCheck {
  readonly stage: string;
  readonly set: string;
  readonly template: string;
  /** Samples that were looked at: the first of the set. */
  readonly samples: number;
  readonly imageRows: number;
  readonly rows: { readonly min: number; readonly max: number };
  /** Rows of a batch of the longest samples. */
  readonly batchRows: number;
  readonly rowBudget: number;
  /** Share of tokens without a label. */
  readonly maskedShare: number;
}

/** What {@link checkRecipe} found. */
export interface RecipeCheck {
  readonly parts: readonly { readonly name: string; readonly parameters: number }[];
  readonly stages: readonly StageCheck[];
  /** What would stop a run, one sentence each. */
  readonly problems: readonly string[];
}

/**
 * Opens a recipe with a small share of its data and looks at the first samples of each stage.
 *
 * @throws `BasicError` of whatever cannot be opened: models, tokenizer, pictures, data.
 */
export async function checkRecipe(context: TaskContext): Promise<RecipeCheck> {
  const recipe = withLittleData(context.recipe);
  if (recipe.task === "vlm") return checkVlm({ ...context, recipe });
  const session = await openTask({ ...context, recipe }, false);
  try {
    for (const [name, stage] of Object.entries(recipe.stages)) {
      const data = await session.data(name);
      const size = Math.min(stage.batchSize, data.size);
      const position = { stage: name, step: 0, steps: resolveSteps(stage, data.size) };
      await data.batch(
        Int32Array.from({ length: size }, (_, i) => i),
        position,
      );
    }
    return { parts: session.parts, stages: [], problems: [] };
  } finally {
    session.dispose();
  }
}

/** The first samples of each set; a builder makes a small version of its data, in a folder of its own. */
function withLittleData<R extends Recipe>(recipe: R): R {
  const { builder } = recipe.data;
  const first = (sources: Recipe["data"]["train"]): Recipe["data"]["train"] =>
    Object.fromEntries(
      Object.entries(sources).map(([name, source]) => {
        const limit = Math.min(SAMPLE, "limit" in source ? (source.limit ?? SAMPLE) : SAMPLE);
        return [name, { ...source, limit }];
      }),
    );
  const data = {
    ...recipe.data,
    train: first(recipe.data.train),
    evaluation: first(recipe.data.evaluation),
    ...(builder?.name === "scenes" && {
      folder: undefined,
      builder: {
        ...builder,
        options: { ...builder.options, train1: SAMPLE, train2: SAMPLE, test: SAMPLE / 4 },
      },
    }),
  };
  return { ...recipe, data };
}

async function checkVlm(context: TaskContext<VlmRecipe>): Promise<RecipeCheck> {
  const session = await openVlm(context);
  try {
    const checked = Object.entries(context.recipe.stages).map(([name, stage]) =>
      checkStage(session, name, stage),
    );
    return {
      parts: session.parts,
      stages: checked.map(({ found }) => found),
      problems: checked.flatMap(({ problems }) => problems),
    };
  } finally {
    session.dispose();
  }
}

function checkStage(
  session: VlmSession,
  name: string,
  stage: RecipeStage,
): { readonly found: StageCheck; readonly problems: readonly string[] } {
  const setName = stage.data ?? name;
  const set = session.sets.train.get(setName);
  if (set === undefined) throw new BasicError("E_RECIPE_INVALID", `There is no training set "${setName}".`);
  const template = findTemplate(stage.template);
  const problems: string[] = [];
  const rows: number[] = [];
  const imageRows = new Set<number>();
  let [tokens, trained] = [0, 0];
  for (const sample of set.samples) {
    try {
      const { ids, weights } = encodeSample(template, session.tokenizer, sample);
      const counts = rowsOfImages(session, set.store, sample);
      for (const count of counts) imageRows.add(count);
      tokens += ids.length - counts.length;
      trained += weights.filter((weight) => weight > 0).length;
      rows.push(ids.length - counts.length + counts.reduce((sum, count) => sum + count, 0));
    } catch (error) {
      if (!(error instanceof BasicError)) throw error;
      problems.push(`stage ${name}: ${error.message}`);
    }
  }
  const longest = rows.toSorted((a, b) => b - a);
  const found: StageCheck = {
    stage: name,
    set: setName,
    template: template.name,
    samples: set.samples.length,
    imageRows: Math.max(0, ...imageRows),
    rows: { min: longest.at(-1) ?? 0, max: longest[0] ?? 0 },
    batchRows: fill(longest, stage.batchSize),
    rowBudget: stage.rowBudget,
    maskedShare: tokens === 0 ? 1 : 1 - trained / tokens,
  };
  return { found, problems: [...problems, ...budgetProblems(found, stage)] };
}

function rowsOfImages(
  { projector }: VlmSession,
  store: { shape(image: string): { grid: readonly [number, number] | null; rows: number } },
  { images }: Sample,
): readonly number[] {
  return images.map((image) => {
    const { grid, rows } = store.shape(image);
    return projector.gridAfter(grid, rows).rows;
  });
}

/** Rows of a batch of the longest samples, repeated where there are fewer than a batch takes. */
function fill(longest: readonly number[], batchSize: number): number {
  if (longest.length === 0) return 0;
  return Array.from({ length: batchSize }, (_, i) => longest[i % longest.length] ?? 0).reduce(
    (a, b) => a + b,
    0,
  );
}

function budgetProblems(found: StageCheck, { batchSize }: RecipeStage): readonly string[] {
  const { stage, rows, batchRows, rowBudget } = found;
  if (rows.max > rowBudget) {
    return [
      `stage ${stage}: the longest sample has ${rows.max} rows, and rowBudget is ${rowBudget}. Raise it, or shorten the sample.`,
    ];
  }
  if (batchRows <= rowBudget) return [];
  return [
    `stage ${stage}: a batch of the ${batchSize} longest samples has ${batchRows} rows, and rowBudget is ${rowBudget}. Lower batchSize, or raise rowBudget.`,
  ];
}

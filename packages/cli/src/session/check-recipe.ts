import {
  BasicError,
  packStep,
  type Recipe,
  type RecipeStage,
  resolveSteps,
  type VlmRecipe,
} from "@basic-mllm/core";
import {
  encodeSample,
  findTemplate,
  type LabelledAnswers,
  rowsAfter,
  type Sample,
  type VisualStore,
} from "@basic-mllm/data";

import { openTask } from "./open-task.js";
import { type PartSummary, requireTrainedGroups, type TaskContext } from "./task.js";
import { unknownWordsWarnings } from "./unknown-words.js";
import { openVlm, type VlmSession } from "./vlm.js";
import type { VlmSet } from "./vlm-data.js";

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
  /** Rows of a micro-batch of the longest samples. */
  readonly batchRows: number;
  readonly rowBudget: number;
  /** Share of tokens without a label. */
  readonly maskedShare: number;
}

/** What the questions of an evaluation set look like under the last stage's template. */
export type EvaluationCheck = Pick<
  StageCheck,
  "set" | "template" | "samples" | "imageRows" | "rows" | "maskedShare"
>;

/** What {@link checkRecipe} found. */
export interface RecipeCheck {
  readonly parts: readonly PartSummary[];
  readonly stages: readonly StageCheck[];
  readonly evaluation: readonly EvaluationCheck[];
  /** What would stop a run, one sentence each. */
  readonly problems: readonly string[];
  /** What a run does not stop at, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Opens a recipe with a small share of its data and looks at the first samples of each stage and evaluation set.
 *
 * @throws `BasicError` of whatever cannot be opened: models, tokenizer, pictures, data.
 */
export async function checkRecipe(context: TaskContext): Promise<RecipeCheck> {
  const recipe = withLittleData(context.recipe);
  if (recipe.task === "vlm") return checkVlm({ ...context, recipe });
  const session = await openTask({ ...context, recipe }, false);
  try {
    requireTrainedGroups(recipe, session.objective);
    for (const [name, stage] of Object.entries(recipe.stages)) {
      const data = await session.data(name);
      const size = Math.min(stage.batchSize, data.size);
      const position = { stage: name, step: 0, steps: resolveSteps(stage, data.size) };
      await data.batch(
        Int32Array.from({ length: size }, (_, i) => i),
        position,
      );
    }
    return { parts: session.parts, stages: [], evaluation: [], problems: [], warnings: [] };
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
  const { stages, evaluation } = context.recipe;
  try {
    requireTrainedGroups(context.recipe, session.objective);
    const checked = Object.entries(stages).map(([name, stage]) => checkStage(session, name, stage));
    const measured = (evaluation.sets ?? [...session.sets.evaluation.keys()]).map((name) => {
      const set = session.sets.evaluation.get(name) as VlmSet;
      return checkSet(session, {
        where: `evaluation set ${name}`,
        set,
        template: session.template,
        answers: "last",
      });
    });
    return {
      parts: session.parts,
      stages: checked.map(({ found }) => found),
      evaluation: measured.map(({ found: { longest: _, ...found } }) => found),
      problems: [...checked, ...measured].flatMap(({ problems }) => problems),
      warnings: unknownWordsWarnings(session.tokenizer, [
        ...session.sets.train.values(),
        ...session.sets.evaluation.values(),
      ]),
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
  const checked = checkSet(session, {
    where: `stage ${name}`,
    set,
    template: stage.template,
    answers: "all",
  });
  const { longest, ...seen } = checked.found;
  const found: StageCheck = {
    stage: name,
    ...seen,
    batchRows: stage.packing === "rows" ? packedRows(longest, stage) : fill(longest, stage.batchSize),
    rowBudget: stage.rowBudget,
  };
  return { found, problems: [...checked.problems, ...budgetProblems(found, stage)] };
}

interface SetToCheck {
  /** For messages: `stage align`. */
  readonly where: string;
  readonly set: VlmSet;
  readonly template: string;
  readonly answers: LabelledAnswers;
}

/** Encodes the samples of a set as a batch would. `longest`: rows of each sample, longest first. */
function checkSet(
  session: VlmSession,
  { where, set, template: templateName, answers }: SetToCheck,
): {
  readonly found: EvaluationCheck & { longest: readonly number[] };
  readonly problems: readonly string[];
} {
  const template = findTemplate(templateName, session.tokenizer);
  const problems: string[] = [];
  const rows: number[] = [];
  const imageRows = new Set<number>();
  let [tokens, trained] = [0, 0];
  for (const sample of set.samples) {
    try {
      const { ids, weights } = encodeSample(template, session.tokenizer, sample, answers);
      const counts = rowsOfImages(session, set.store, sample);
      for (const count of counts) imageRows.add(count);
      tokens += ids.length - counts.length;
      trained += weights.filter((weight) => weight > 0).length;
      rows.push(ids.length - counts.length + counts.reduce((sum, count) => sum + count, 0));
    } catch (error) {
      if (!(error instanceof BasicError)) throw error;
      problems.push(`${where}: ${error.message}`);
    }
  }
  const longest = rows.toSorted((a, b) => b - a);
  const found = {
    set: set.name,
    template: template.name,
    samples: set.samples.length,
    imageRows: Math.max(0, ...imageRows),
    rows: { min: longest.at(-1) ?? 0, max: longest[0] ?? 0 },
    maskedShare: tokens === 0 ? 1 : 1 - trained / tokens,
    longest,
  };
  return { found, problems };
}

function rowsOfImages({ projector }: VlmSession, store: VisualStore, { images }: Sample): readonly number[] {
  return images.map((image) => rowsAfter(store.shape(image), (...own) => projector.gridAfter(...own)).rows);
}

/** Rows of a batch of the longest samples, repeated where there are fewer than a batch takes. */
function fill(longest: readonly number[], batchSize: number): number {
  if (longest.length === 0) return 0;
  return Array.from({ length: batchSize }, (_, i) => longest[i % longest.length] ?? 0).reduce(
    (a, b) => a + b,
    0,
  );
}

/** Rows of the fullest micro-batch that the longest samples are packed into. */
function packedRows(longest: readonly number[], { batchSize, accumulate, rowBudget }: RecipeStage): number {
  const samples = batchSize * accumulate;
  const repeated = Int32Array.from({ length: samples }, (_, i) => longest[i % longest.length] ?? 0);
  const [fullest = Int32Array.of()] = packStep(repeated, (rows) => rows, { budget: rowBudget });
  return fullest.reduce((sum, rows) => sum + rows, 0);
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
    `stage ${stage}: a batch of the ${batchSize} longest samples has ${batchRows} rows, and rowBudget is ${rowBudget}. Lower batchSize, raise rowBudget, or set packing to "rows".`,
  ];
}

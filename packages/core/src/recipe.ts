import { z } from "zod";

import { BasicError } from "./errors.js";
import { explainIssues } from "./explain-issues.js";
import { didYouMean } from "./nearest.js";
import { languageSchema, regionTextSchema, vlmSchema } from "./recipe-schema.js";
import { unusedFields } from "./recipe-unused.js";
import { entryProblem, trainedShare } from "./train/selection.js";

const schemas = { vlm: vlmSchema, language: languageSchema, "region-text": regionTextSchema } as const;

/** What a recipe trains. */
export type RecipeTask = "vlm" | "language" | "region-text";
/** A recipe for a multimodal LLM with every field present. */
export type VlmRecipe = z.output<typeof vlmSchema>;
/** A recipe for language-model pretraining with every field present. */
export type LanguageRecipe = z.output<typeof languageSchema>;
/** A recipe for contrastive encoder training with every field present. */
export type RegionTextRecipe = z.output<typeof regionTextSchema>;
/** What the trainer receives: every field present. */
export type Recipe = VlmRecipe | LanguageRecipe | RegionTextRecipe;
/** What an author may write: fields with a default are optional, `task` too for a multimodal LLM. */
export type RecipeInput =
  | z.input<typeof vlmSchema>
  | z.input<typeof languageSchema>
  | z.input<typeof regionTextSchema>;
/** One stage of a recipe with every field present. */
export type RecipeStage = Recipe["stages"][string];
/** λ of a loss over the steps of a stage. */
export type LossWeight = RecipeStage["losses"][string];

/**
 * Checks a recipe where it is written, so that a typo never reaches the first step.
 *
 * @throws {@link BasicError} `E_RECIPE_INVALID`.
 */
export function defineRecipe(input: z.input<typeof vlmSchema>): VlmRecipe;
export function defineRecipe(input: z.input<typeof languageSchema>): LanguageRecipe;
export function defineRecipe(input: z.input<typeof regionTextSchema>): RegionTextRecipe;
export function defineRecipe(input: RecipeInput): Recipe {
  return parseRecipe(input);
}

/**
 * Checks anything that claims to be a recipe (a YAML or JSON file) and fills in the defaults.
 *
 * @throws {@link BasicError} `E_RECIPE_INVALID`: every problem with its place, and the nearest known key.
 */
export function parseRecipe(input: unknown): Recipe {
  const schema = schemaFor(input);
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw invalid(input, explain(parsed.error, schema, input));
  const problems = crossChecks(parsed.data);
  if (problems.length > 0) throw invalid(input, problems.join("\n"));
  return parsed.data;
}

/** Describes recipes for editors: a JSON Schema of what an author may write. */
export function recipeJsonSchema(): Record<string, unknown> {
  const options = { io: "input", target: "draft-2020-12" } as const;
  return z.toJSONSchema(z.union([vlmSchema, languageSchema, regionTextSchema]), options);
}

/** Optimizer steps of a stage over a data set of `size` samples, whatever the number of processes that train it. */
export function resolveSteps(stage: RecipeStage, size: number): number {
  if (typeof stage.steps === "number") return stage.steps;
  return Math.max(1, Math.ceil((stage.steps.epochs * size) / (stage.batchSize * stage.accumulate)));
}

function schemaFor(input: unknown): (typeof schemas)[RecipeTask] {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new BasicError("E_RECIPE_INVALID", `A recipe is an object, got ${describe(input)}.`);
  }
  const task = (input as { task?: unknown }).task ?? "vlm";
  if (typeof task === "string" && Object.hasOwn(schemas, task)) return schemas[task as RecipeTask];
  const known = Object.keys(schemas);
  const near = typeof task === "string" ? didYouMean(task, known) : "";
  throw invalid(
    input,
    `✖ Unknown task: ${JSON.stringify(task)}.${near} Known: ${known.join(", ")}.\n  → at task`,
  );
}

function describe(input: unknown): string {
  if (input === null) return "null";
  return Array.isArray(input) ? "a list" : `a ${typeof input}`;
}

function invalid(input: unknown, problems: string): BasicError {
  const name = (input as { name?: unknown }).name;
  const title = typeof name === "string" ? `Recipe "${name}"` : "The recipe";
  return new BasicError("E_RECIPE_INVALID", `${title} is not valid.\n${problems}`);
}

/** Every problem with its place and value, and after them the nearest key for each unknown one. */
function explain(error: z.ZodError, schema: z.ZodType, input: unknown): string {
  const hints = error.issues.flatMap((issue) => {
    if (issue.code === "invalid_key") return issue.issues.map(({ message }) => `  ${message}`);
    if (issue.code !== "unrecognized_keys") return [];
    const known = keysAt(schema, issue.path);
    return issue.keys.map(
      (key) => `  "${key}":${didYouMean(key, known) || ` known are ${known.join(", ")}.`}`,
    );
  });
  return [explainIssues(error, input), ...hints].join("\n");
}

/** Keys that the schema knows at a path. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let candidates: readonly z.ZodType[] = [schema];
  for (const part of path) candidates = candidates.flatMap((candidate) => inside(candidate, part));
  return candidates.flatMap(unwrap).flatMap((candidate) => {
    return candidate instanceof z.ZodObject ? Object.keys(candidate.shape) : [];
  });
}

function inside(schema: z.ZodType, part: PropertyKey): readonly z.ZodType[] {
  return unwrap(schema).flatMap((candidate): readonly z.ZodType[] => {
    if (candidate instanceof z.ZodObject) {
      const field = candidate.shape[String(part)];
      return field === undefined ? [] : [field as z.ZodType];
    }
    if (candidate instanceof z.ZodRecord) return [candidate.valueType as z.ZodType];
    return [];
  });
}

/** Looks through defaults, optional fields, unions and transforms. */
function unwrap(schema: z.ZodType): readonly z.ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option as z.ZodType));
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType);
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  ) {
    return unwrap(schema.unwrap() as z.ZodType);
  }
  return [schema];
}

/** Rules between fields, in the same form as zod's own problems. */
function crossChecks(recipe: Recipe): readonly string[] {
  const stages = Object.entries(recipe.stages);
  const evaluationSets = Object.keys(recipe.data.evaluation);
  const unknownSets = (recipe.evaluation.sets ?? []).filter((set) => !evaluationSets.includes(set));
  return [
    ...(stages.length === 0 ? [problem("A recipe needs at least one stage.", "stages")] : []),
    ...stages.flatMap(([name, stage]) => stageProblems(name, stage, Object.keys(recipe.data.train))),
    ...unknownSets.map((set) =>
      problem(
        `There is no evaluation set "${set}".${didYouMean(set, evaluationSets)} Known: ${evaluationSets.join(", ") || "none"}.`,
        "evaluation.sets",
      ),
    ),
    ...loraProblems(recipe),
    ...projectorProblems(recipe),
    ...unusedFields(recipe).map(({ path, reason }) => problem(`${reason}: remove it.`, path)),
  ];
}

/** A trained projector keeps the size that it was trained to. */
function projectorProblems(recipe: Recipe): readonly string[] {
  if (recipe.task !== "vlm") return [];
  const { projector, projectorInit } = recipe.model;
  if (projectorInit === "default" || !("from" in projector) || projector.from === undefined) return [];
  return [
    problem(
      `"${projectorInit}" would scale the trained weights of model.projector.from: remove one of them.`,
      "model.projectorInit",
    ),
  ];
}

/** Adapters that never train change nothing. */
function loraProblems(recipe: Recipe): readonly string[] {
  if (recipe.task !== "vlm") return [];
  const { lora } = recipe.model;
  const trains = Object.values(recipe.stages).some((stage) => trainedShare(stage, "lora") !== "none");
  if (lora === undefined) {
    return trains
      ? [problem('A stage trains "lora", but the model has no adapters: set model.lora.', "stages")]
      : [];
  }
  if (trains || lora.from !== undefined) return [];
  return [problem('No stage trains "lora", so the adapters do nothing: list it in `train`.', "model.lora")];
}

function problem(text: string, where: string): string {
  return `✖ ${text}\n  → at ${where}`;
}

function stageProblems(name: string, stage: RecipeStage, sets: readonly string[]): readonly string[] {
  const set = stage.data ?? name;
  const known = `${didYouMean(set, sets)} Known: ${sets.join(", ") || "none"}.`;
  return [
    ...(sets.includes(set)
      ? []
      : [problem(`There is no training set "${set}".${known}`, `stages.${name}.data`)]),
    ...stage.train.flatMap((entry) => {
      const found = entryProblem(entry);
      return found === null ? [] : [problem(found, `stages.${name}.train`)];
    }),
    ...packingProblems(stage, `stages.${name}.packing`),
    ...groupProblems(stage, "learningRate", `stages.${name}.learningRate`),
    ...groupProblems(stage, "weightDecay", `stages.${name}.weightDecay`),
  ];
}

/** A mean per micro-batch would depend on how rows happen to divide a step. */
function packingProblems({ packing, lossReduction }: RecipeStage, where: string): readonly string[] {
  if (packing !== "rows" || lossReduction === "global") return [];
  return [
    problem(
      `"${packing}" divides a step by rows, and lossReduction "${lossReduction}" averages over what it is divided into: remove one of them.`,
      where,
    ),
  ];
}

/** A value per group must name groups that train; learning rates must name all of them. */
function groupProblems(
  stage: RecipeStage,
  field: "learningRate" | "weightDecay",
  where: string,
): readonly string[] {
  const value = stage[field];
  if (typeof value === "number") return [];
  const frozen = Object.keys(value).filter((group) => !stage.train.includes(group));
  const missing = stage.train.filter((group) => !Object.hasOwn(value, group));
  return [
    ...frozen.map((group) => problem(`"${group}" does not train in this stage.`, where)),
    ...(field === "learningRate"
      ? missing.map((group) => problem(`"${group}" trains but has no learning rate.`, where))
      : []),
  ];
}

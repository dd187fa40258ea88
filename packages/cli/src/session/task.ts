import {
  type EvaluationMoment,
  type EvaluationResult,
  type Lora,
  type Objective,
  type Recipe,
  type TrainingData,
  trainedGroups,
} from "@basic-mllm/core";
import type { ChannelStatistics } from "@basic-mllm/data";

import type { Terminal } from "../terminal.js";

/** A part of the model, for the table at the start. */
export interface PartSummary {
  /** Group name that a stage's `train` may list. */
  readonly name: string;
  readonly parameters: number;
  /** Memory of their values, in the storage that they have. */
  readonly bytes: number;
}

/** What the command line needs of a recipe's task: what to train, on what, how to measure, how to save. */
export interface TaskSession<Batch> {
  readonly parts: readonly PartSummary[];
  readonly objective: Objective<Batch>;
  /** Of the standardised features, where the recipe standardises. */
  readonly statistics?: ChannelStatistics | null;
  /** Adapters of the language model, where it has some. */
  readonly lora?: Lora | null;
  data(stage: string): Promise<TrainingData<Batch>>;
  /**
   * Bytes of data that stages leave in memory, over what is there now. Default: 0.
   *
   * @param shares - Of each stage's samples that it reads, 0 to 1.
   */
  readonly growth?: (shares: ReadonlyMap<string, number>) => number;
  /** Measures the model as it is now. */
  evaluate(moment: EvaluationMoment): Promise<readonly EvaluationResult[]>;
  /** Goes through one batch of each measurement that follows a stage, to learn what it takes. Default: nothing follows. */
  readonly rehearseEvaluation?: (stage: string) => Promise<void>;
  /** Writes the trained model to `folder` in the Hugging Face layout. */
  save(folder: string, provenance: Provenance): Promise<void>;
  dispose(): void;
}

/** Where weights come from. Saved beside them. */
export interface Provenance {
  readonly recipe: string;
  /** SHA-256 of the expanded recipe. */
  readonly recipeHash: string;
  readonly version: string;
  /** Commit of the sources, where the run was started inside of a clone. */
  readonly commit: string | null;
  readonly steps: number;
  readonly metrics: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What opening a task needs besides the recipe. */
export interface TaskContext<R extends Recipe = Recipe> {
  readonly recipe: R;
  readonly terminal: Terminal;
  /** Folder for built data and cached features. */
  readonly cache: string;
  /** Stops the building of data and features. */
  readonly signal?: AbortSignal;
  /** Threads that open pictures. Default: the recipe's. */
  readonly workers?: number;
}

/**
 * Looks whether a model has the parameter groups that the stages of its recipe train, and whether they can train, before
 * anything is written.
 *
 * @throws `BasicError` `E_NAME_UNKNOWN` with the nearest name, `E_CONFIG` for packed weights.
 */
export function requireTrainedGroups(recipe: Recipe, { groups }: Pick<Objective<never>, "groups">): void {
  for (const stage of Object.values(recipe.stages)) trainedGroups(stage, groups);
}

import type { Recipe } from "../recipe.js";
import type { CheckpointChoice } from "./checkpoint.js";
import type { Collective } from "./collective.js";
import type { EvaluationLine, LinePosition, MetricsLine } from "./metrics.js";
import type { Objective, TrainingData } from "./objective.js";
import type { RunStore } from "./run-store.js";

/** What the loop tells whoever watches it. */
export type TrainEvent =
  /** A stage begins, or goes on after a resume: `step` is where. */
  | ({ readonly kind: "stage-start"; readonly steps: number } & LinePosition)
  /** Before the first step of a stage: the backend compiles this many kernels for it, side by side. */
  | ({ readonly kind: "compile"; readonly kernels: number } & LinePosition)
  /** After each optimizer step. */
  | ({ readonly kind: "step"; readonly steps: number } & LinePosition)
  /** A line was added to metrics.jsonl. */
  | { readonly kind: "metrics"; readonly line: MetricsLine }
  | ({ readonly kind: "checkpoint"; readonly folder: string } & LinePosition)
  | ({ readonly kind: "stage-end" } & LinePosition);

/** When the loop evaluates. */
export interface EvaluationMoment extends LinePosition {
  /** True at the end of the last stage. */
  readonly final: boolean;
  /** True at the end of a stage. */
  readonly stageEnd: boolean;
}

/** Metrics of one evaluation set. */
export type EvaluationResult = Pick<EvaluationLine, "split" | "metrics">;

/** What {@link train} needs. */
export interface TrainOptions<Batch> {
  readonly recipe: Recipe;
  /** The objective of a stage. Stages may share one; groups of the same name are the same weights. */
  readonly objective: (stage: string) => Objective<Batch> | Promise<Objective<Batch>>;
  /** The data of a stage. */
  readonly data: (stage: string) => TrainingData<Batch> | Promise<TrainingData<Batch>>;
  readonly store: RunStore;
  /** Called as the run goes on; must not throw. */
  readonly onEvent?: (event: TrainEvent) => void;
  /** When it aborts, the loop finishes the step, saves a checkpoint and throws `E_INTERRUPTED`. */
  readonly signal?: AbortSignal;
  /** Measures the model when the stage says so, and at its end. */
  readonly evaluate?: (moment: EvaluationMoment) => Promise<readonly EvaluationResult[]>;
  /** Continue the run of the store. `previous`: from the checkpoint before the last one. */
  readonly resume?: CheckpointChoice;
  /** Default: a single process. */
  readonly collective?: Collective;
}

/** What {@link train} returns. */
export interface TrainResult {
  /** Optimizer steps of all stages. */
  readonly globalStep: number;
  /** Folder of the last checkpoint. */
  readonly checkpoint: string;
}

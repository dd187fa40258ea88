import type * as tf from "@tensorflow/tfjs-core";

import type { ParameterSet } from "../parameters.js";

/** What a loss part is divided by: counted over all micro-batches and ranks of a step before the first forward. */
export type Denominator = "tokens" | "samples";

/** One term of the training loss for one micro-batch. */
export interface LossPart {
  /** `language`, `direction`, ... : the name in metrics and recipes. */
  readonly name: string;
  /** Scalar `[]`, a sum, not a mean. */
  readonly sum: tf.Scalar;
  readonly per: Denominator;
  /** λ of the part at this step. 0: computed and logged, without gradient. */
  readonly weight: number;
}

/** Totals of one micro-batch, counted on the host. */
export interface Counts {
  /** Supervised tokens (or their summed weights). */
  readonly tokens: number;
  /** Samples with an image. */
  readonly samples: number;
}

/** Where a step stands. */
export interface StepPosition {
  readonly stage: string;
  /** Optimizer step in the stage, from 0. */
  readonly step: number;
  readonly steps: number;
}

/** What is trained: maps a micro-batch to loss parts. The loop knows nothing else of the model. */
export interface Objective<Batch> {
  /** `vision`, `projector`, `language`, `losses`: what a stage's `train` may name. */
  readonly groups: Readonly<Record<string, ParameterSet>>;
  /** Counted on the host, before any device work. */
  count(batch: Batch): Counts;
  /** Runs on the tape. Called once per micro-batch. */
  parts(batch: Batch, position: StepPosition): readonly LossPart[];
  /** Diagnostics of this batch (norms, cosines, matches), without gradient. Called at log steps. */
  diagnose?(batch: Batch, position: StepPosition): Promise<Readonly<Record<string, number>>>;
  /** Runs what `diagnose` runs on the device, reads nothing and leaves nothing behind: its kernels can be compiled before. */
  walkDiagnostics?(batch: Batch, position: StepPosition): void;
}

/** What grouping and packing look at, for each sample. */
export interface SampleSizes {
  /** Rows at the language model's input. */
  readonly rows: ArrayLike<number>;
  /** 1 for a sample that shows images, else 0. */
  readonly visual: ArrayLike<number>;
  /** Name of a sample, for messages. Default: its number. */
  readonly id?: (index: number) => string;
}

/** Samples in a fixed order; the loop picks them by index from (seed, stage, step) alone. */
export interface TrainingData<Batch> {
  readonly size: number;
  /** Builds a micro-batch. Must depend on the arguments alone. */
  batch(indices: Int32Array, position: StepPosition): Promise<Batch>;
  /** The samples that take the most rows, largest first; absent where samples are alike. For predictions of memory. */
  readonly heaviest?: (count: number) => Int32Array;
  /** Of all samples, for stages with `grouping` or `packing`. The same each time it is asked for. */
  sizes?(): SampleSizes;
}

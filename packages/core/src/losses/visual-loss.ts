import type * as tf from "@tensorflow/tfjs-core";

import type { Head } from "../models/interfaces.js";
import type { ParameterSet } from "../parameters.js";

/** How patch weights a_j are scaled (method.md, 4). */
export type Normalise = "none" | "sum" | "mean" | "uniform";

/** What a loss reads. The decoder computes nothing that no loss needs. */
export interface Needs {
  readonly refined?: boolean;
  /** The gradient flows through v̂ too (`stopGradient: false`). Default: v̂ is a constant. */
  readonly refinedGradient?: boolean;
  /** The normalisation that this loss wants; the view then carries `patchWeights`. */
  readonly patchWeights?: boolean;
  /** E, detached. */
  readonly vocabulary?: boolean;
  /** Final-norm output at the visual rows. */
  readonly hidden?: boolean;
  /** Block (1-based) whose visual rows are wanted, from the depth of the LLM. */
  readonly block?: (depth: number) => number;
  /**
   * Frozen encoder features at the visual rows. Where pictures are cut into tiles, the view then has the rows that come from
   * a feature alone: those of `image_newline` are left out of all its fields.
   */
  readonly features?: boolean;
}

/** An image in numbers of visual rows. */
export interface VisualSpan {
  readonly sample: number;
  readonly start: number;
  readonly length: number;
}

/** What a loss sees of one micro-batch. N visual rows, D LLM width. Fields are present when `needs` names them. */
export interface VisualView {
  /** V: projector output, `[N, D]`. Carries the gradient. */
  readonly initial: tf.Tensor2D;
  readonly images: readonly VisualSpan[];
  /** v̂ `[N, D]`. */
  readonly refined?: tf.Tensor2D;
  /** Raw a_j `[N]` before normalisation, detached. Normalise with `normalisePatchWeights`. */
  readonly patchWeights?: tf.Tensor1D;
  /** E `[V, D]`, detached. */
  readonly vocabulary?: tf.Tensor2D;
  readonly head?: Head;
  readonly hidden?: tf.Tensor2D;
  readonly block?: tf.Tensor2D;
  /** f `[N, features]`, detached. */
  readonly features?: tf.Tensor2D;
}

/** What {@link VisualLoss.compute} returns. */
export interface VisualLossResult {
  /** Scalar `[]`: sum over the samples of the micro-batch of each sample's loss. */
  readonly sum: tf.Scalar;
  /** Unweighted value of each visual row `[N]`, detached, where the loss has one; for reports. */
  readonly perRow?: tf.Tensor1D;
}

/** A supervision of visual rows. BASIC's two losses and their neighbours implement it. */
export interface VisualLoss {
  readonly name: string;
  readonly needs: Needs;
  /** Weights of the loss itself (Emu's map, VIRAL's MLP); trained with the projector. */
  readonly parameters?: ParameterSet;
  /** Runs on the tape, once per micro-batch that has an image. */
  compute(view: VisualView): VisualLossResult;
}

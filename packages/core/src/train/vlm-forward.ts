import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { gatherRows } from "../layers/embedding.js";
import type { Lora } from "../layers/lora.js";
import { computeChecked } from "../losses/check-loss.js";
import type { VocabularySource } from "../losses/distribution.js";
import { languageLoss } from "../losses/language.js";
import type { LayerWeightScheme } from "../losses/layer-weights.js";
import type { Needs, Normalise, VisualLoss, VisualView } from "../losses/visual-loss.js";
import { arrangeRows } from "../models/image-newline.js";
import type {
  HostVisualRows,
  ImageBatch,
  LanguageModel,
  Observe,
  Observed,
  Projector,
  VisionEncoder,
  VisualRows,
} from "../models/interfaces.js";
import { planVisualRows } from "../models/language/packed.js";
import { checkRowPerFeature, featureRows } from "./feature-rows.js";
import type { LossPart, StepPosition } from "./objective.js";
import { untaped } from "./untaped.js";
import { checkVisualRows, type VlmBatch, visualSpans } from "./vlm-batch.js";
import type { WeightedLoss } from "./weighted-losses.js";

/** BASIC's supervision of visual embeddings, as recipes write it. Absent fields: the paper's. */
export interface SupervisionSettings {
  /** k: supervised shallow blocks; null: half of the LLM's. */
  readonly depth?: number | null;
  /** Default `increasing`. */
  readonly layerWeights?: LayerWeightScheme;
  /** Of the patch weights in reports; each loss has its own. Default `none`. */
  readonly normalise?: Normalise;
  /** Whether the refined embeddings are constants for losses whose needs do not ask for their gradient. Default true. */
  readonly stopGradient?: boolean;
  /** What visual rows are matched with in reports. Default `input`. */
  readonly vocabulary?: VocabularySource;
}

/** Parts of {@link createVlmObjective}. */
export interface VlmObjectiveOptions {
  /** Null where batches carry features. Runs outside of the tape while none of its parameters is trainable. */
  readonly encoder: VisionEncoder | null;
  readonly projector: Projector;
  readonly language: LanguageModel;
  readonly losses: readonly WeightedLoss[];
  /** Adapters of the language model: the group `lora`. */
  readonly lora?: Lora;
  readonly supervision?: SupervisionSettings;
  /** Weight of the language loss. Default 1. */
  readonly languageWeightAt?: (position: StepPosition) => number;
  /** Text of a token, for the meaningful share. */
  readonly decode?: (token: number) => string;
}

/** What one forward pass gives. */
export interface Forward {
  readonly projected: VisualRows | null;
  readonly features: VisualRows | null;
  readonly observed: Observed;
}

/** A loss that counts at this step. */
export interface ActiveLoss {
  /** Of its part. */
  readonly name: string;
  readonly loss: VisualLoss;
  readonly weight: number;
}

/** Losses that the stage of this step has. */
export function activeLosses({ losses }: VlmObjectiveOptions, position: StepPosition): readonly ActiveLoss[] {
  return losses.flatMap(({ name, loss, weightAt }) => {
    const weight = weightAt(position);
    return weight === null ? [] : [{ name: name ?? loss.name, loss, weight }];
  });
}

/** The union of what the losses need; nothing where no loss or no image is there. */
export function observeFor(
  { packed }: VlmBatch,
  call: { active: readonly ActiveLoss[]; weights: readonly number[]; options: VlmObjectiveOptions },
): Observe | undefined {
  const needs = call.active.map(({ loss }) => loss.needs);
  if (needs.length === 0 || packed.images.length === 0) return undefined;
  const refined = needs.some((need) => need.refined);
  const patchWeights = needs.some((need) => need.patchWeights);
  const { language, supervision = {} } = call.options;
  const blocks = needs.flatMap((need) => (need.block === undefined ? [] : [need.block(language.depth)]));
  return {
    layerWeights: refined || patchWeights ? call.weights : [],
    patchWeights,
    stopGradient: needs.every((need) => isConstant(need, supervision)),
    blocks: [...new Set(blocks)],
  };
}

/** Whether v̂ is a constant for a loss: its own word, then that of the supervision. */
function isConstant({ refinedGradient }: Needs, { stopGradient = true }: SupervisionSettings): boolean {
  return stopGradient && refinedGradient !== true;
}

/** Features, projector, LLM. */
export function runForward(
  batch: VlmBatch,
  { encoder, projector, language }: VlmObjectiveOptions,
  observe: Observe | undefined,
): Forward {
  const features = batch.visual === null ? null : featuresOf(batch.visual, encoder);
  const projected = features === null ? null : projectBatch(features, batch, projector);
  checkVisualRows(projected, batch);
  const input = { packed: batch.packed, visual: projected?.rows ?? null };
  return { features, projected, observed: language.forward(input, observe) };
}

/** Visual embeddings of a batch, in the order in which the language model reads them; differentiable. */
export function projectBatch(
  features: VisualRows,
  { arrangement }: Pick<VlmBatch, "arrangement">,
  projector: Projector,
): VisualRows {
  const projected = projector.project(features);
  return arrangement === undefined ? projected : arrangeRows(projected, arrangement, projector);
}

/** Uploads features, or encodes pixels: outside of the tape while the encoder is frozen. */
function featuresOf(visual: HostVisualRows | ImageBatch, encoder: VisionEncoder | null): VisualRows {
  if ("values" in visual) {
    const { values, width, offsets, grids } = visual;
    return { rows: tf.tensor2d(values, [values.length / width, width]), offsets, grids };
  }
  if (encoder === null) {
    throw new BasicError(
      "E_CONFIG",
      "The batch carries pixels, but this objective has no vision encoder. Pass `encoder`, or batches with features.",
    );
  }
  const encode = (): VisualRows => encoder.encode(tf.tensor4d(visual.pixels, [...visual.shape]));
  if ([...encoder.parameters].some(({ trainable }) => trainable)) return encode();
  return frozenRows(encode);
}

/** Keeps the rows of an encoding and frees the rest. */
function frozenRows(encode: () => VisualRows): VisualRows {
  let meta: Pick<VisualRows, "offsets" | "grids"> | undefined;
  const rows = untaped(() => {
    const { rows: encoded, ...rest } = encode();
    meta = rest;
    return encoded;
  });
  return { rows, ...(meta as Pick<VisualRows, "offsets" | "grids">) };
}

/** One part per loss; 0 for the visual ones where the batch has no image. */
export function lossParts(
  forward: Forward,
  batch: VlmBatch,
  call: { active: readonly ActiveLoss[]; options: VlmObjectiveOptions; position: StepPosition },
): readonly LossPart[] {
  const { language, languageWeightAt } = call.options;
  const { observed, projected } = forward;
  const languageWeight = languageWeightAt?.(call.position) ?? 1;
  const languageSum = weighted(languageWeight, () =>
    languageLoss(observed.hidden, language.head, batch.packed),
  );
  const visual = call.active.map(({ name, loss, weight }): LossPart => {
    const sum = (): tf.Scalar =>
      projected === null
        ? tf.scalar(0)
        : computeChecked(name, loss, viewFor(loss, forward, batch, call.options)).sum;
    return { name, sum: weighted(weight, sum), per: "samples", weight };
  });
  return [{ name: "language", sum: languageSum, per: "tokens", weight: languageWeight }, ...visual];
}

/** A loss of weight 0 is computed for the log, without a gradient. */
function weighted(weight: number, compute: () => tf.Scalar): tf.Scalar {
  return weight === 0 ? untaped(compute) : compute();
}

/** The fields of the view that a loss needs. */
function viewFor(
  { name, needs }: VisualLoss,
  { projected, features, observed }: Forward,
  { packed, arrangement }: VlmBatch,
  { language, projector, supervision = {} }: VlmObjectiveOptions,
): VisualView {
  const { rows } = projected as VisualRows;
  const images = visualSpans(packed.images);
  const isCut = needs.features === true && features !== null && arrangement !== undefined;
  if (isCut) checkRowPerFeature(features, projector, name);
  const kept = isCut ? featureRows(arrangement, images) : null;
  const pick = (x: tf.Tensor2D): tf.Tensor2D => (kept === null ? x : gatherRows(x, kept.rows));
  // One loss may want the gradient where another wants a constant.
  const refined =
    observed.refined && isConstant(needs, supervision) ? detach(observed.refined) : observed.refined;
  const block = needs.block === undefined ? undefined : observed.blocks.get(needs.block(language.depth));
  return {
    initial: pick(rows),
    images: kept?.images ?? images,
    head: language.head,
    ...(needs.refined && refined && { refined: pick(refined) }),
    ...(needs.patchWeights &&
      observed.patchWeights && { patchWeights: pickValues(observed.patchWeights, pick) }),
    ...(needs.vocabulary && { vocabulary: detach(language.vocabulary) }),
    ...(needs.hidden && { hidden: pick(gatherRows(observed.hidden, planVisualRows(packed).rows)) }),
    ...(block && { block: pick(block) }),
    ...(needs.features &&
      features && {
        features: detach(kept === null ? features.rows : gatherRows(features.rows, kept.features)),
      }),
  };
}

function pickValues(values: tf.Tensor1D, pick: (x: tf.Tensor2D) => tf.Tensor2D): tf.Tensor1D {
  return tf.reshape(pick(tf.reshape(values, [values.size, 1])), [-1]);
}

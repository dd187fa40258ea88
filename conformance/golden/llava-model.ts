import { join } from "node:path";

import {
  createDirectionLoss,
  createDistributionLoss,
  createVlmObjective,
  type LayerWeightScheme,
  type Normalise,
  type Objective,
  type Parameter,
  type VisualLoss,
  type VlmBatch,
} from "@basic-mllm/core";
import { type LlavaModel, loadLlava } from "@basic-mllm/weights";

import type { GoldenCase } from "./golden-case.js";
import { channelsLast, type PackedBatch, type PaddedBatch, packPadded } from "./padded.js";

/** Options of a case as the goldens spell them. */
export interface LlavaOptions {
  readonly scheme: LayerWeightScheme;
  readonly normalize: Normalise;
  readonly stop_gradient: boolean;
  readonly table: "embed_tokens" | "lm_head";
  readonly k: number | null;
  readonly lambda_das: number;
  readonly lambda_sds: number;
}

const OPTIONS = ["scheme", "normalize", "stop_gradient", "table", "k", "lambda_das", "lambda_sds"] as const;

/** A loaded checkpoint with the objective of a case. */
export interface LlavaCase {
  readonly model: LlavaModel;
  readonly options: LlavaOptions;
  readonly losses: { readonly das: VisualLoss; readonly sds: VisualLoss };
  readonly objective: Objective<VlmBatch>;
}

/** Loads the checkpoint of a case and reads its options. */
export async function openLlava(golden: GoldenCase): Promise<LlavaCase> {
  const model = await loadLlava(join(golden.folder, String(golden.record["folder"])));
  const options = golden.options<LlavaOptions>("options", OPTIONS);
  const { normalize: normalise, stop_gradient: stopGradient, scheme, k: depth } = options;
  const vocabulary = vocabularyOf(options.table);
  const losses = {
    das: createDirectionLoss({ normalise, stopGradient }),
    sds: createDistributionLoss({ normalise, stopGradient, vocabulary }),
  };
  const { vision: encoder, projector, language } = model;
  encoder.parameters.setTrainable(false);
  const objective = createVlmObjective({
    encoder,
    projector,
    language,
    losses: [
      { loss: losses.das, weightAt: () => options.lambda_das },
      { loss: losses.sds, weightAt: () => options.lambda_sds },
    ],
    supervision: { depth, layerWeights: scheme, normalise, stopGradient, vocabulary },
  });
  return { model, options, losses, objective };
}

function vocabularyOf(table: string): "input" | "head" {
  if (table === "embed_tokens") return "input";
  if (table === "lm_head") return "head";
  throw new Error(`unknown table "${table}"`);
}

/** Rows per image of a model's projector. */
export function rowsPerImage({ vision, projector, config }: LlavaModel): number {
  const side = Math.floor(vision.config.imageSize / vision.config.patchSize);
  const rows = side * side + (config.featureSelection === "cls_patch" ? 1 : 0);
  return projector.gridAfter([side, side], rows).rows;
}

/** Samples `chosen` of a case's padded batch, packed, with their images. */
export function batchOf(
  golden: GoldenCase,
  model: LlavaModel,
  chosen?: readonly number[],
): VlmBatch & PackedBatch {
  const [all, length] = golden.shape("in.input_ids") as [number, number];
  const rows = rowsPerImage(model);
  const token = model.config.imageTokenId;
  const picked = chosen ?? Array.from({ length: all }, (_, b) => b);
  const ids = golden.integers("in.input_ids");
  const imagesOf = (b: number): number =>
    ids.subarray(b * length, (b + 1) * length).filter((id) => id === token).length / rows;
  const firstImage = (b: number): number =>
    Array.from({ length: b }, (_, before) => imagesOf(before)).reduce((sum, images) => sum + images, 0);
  const images = picked.flatMap((b) => Array.from({ length: imagesOf(b) }, (_, i) => firstImage(b) + i));
  const batch = packPadded(select(golden, picked), { token, rows });
  return {
    ...batch,
    visual: images.length === 0 ? null : pixelsOf(golden, images),
    sampleIds: picked.map((b) => `sample ${b}`),
  };
}

function select(golden: GoldenCase, picked: readonly number[]): PaddedBatch {
  const [, length] = golden.shape("in.input_ids") as [number, number];
  const take = (values: Int32Array): Int32Array =>
    Int32Array.from(picked.flatMap((b) => [...values.subarray(b * length, (b + 1) * length)]));
  const ids = take(golden.integers("in.input_ids"));
  return {
    ids,
    mask: golden.has("in.attention_mask") ? take(golden.integers("in.attention_mask")) : ids.map(() => 1),
    labels: golden.has("in.labels") ? take(golden.integers("in.labels")) : null,
    samples: picked.length,
    length,
  };
}

function pixelsOf(golden: GoldenCase, images: readonly number[]): NonNullable<VlmBatch["visual"]> {
  const [, channels, height, width] = golden.shape("in.pixel_values") as [number, number, number, number];
  const size = channels * height * width;
  const all = golden.floats("in.pixel_values");
  const chosen = Float32Array.from(images.flatMap((i) => [...all.subarray(i * size, (i + 1) * size)]));
  return channelsLast(chosen, [images.length, channels, height, width]);
}

/** The parameter that a checkpoint calls `name`. */
export function parameterOf({ projector, language }: LlavaModel, name: string): Parameter {
  const [part, rest] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
  if (part === "multi_modal_projector") return projector.parameters.get(rest);
  if (part === "language_model") return language.parameters.get(rest);
  throw new Error(`unknown parameter "${name}"`);
}

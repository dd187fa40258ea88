import { join } from "node:path";
import { BasicError } from "@basic-mllm/core";

import type { FloatDType } from "../dtypes.js";
import { writeText } from "../files.js";
import { type LlavaModel, saveHuggingFace } from "../hugging-face.js";
import { writeJson } from "../json-file.js";
import { requireLlavaProjector } from "../llava-projector.js";

/** Ids of special tokens; null where the tokenizer has none. */
export interface SpecialIds {
  readonly bos: number | null;
  /** What ends an answer. */
  readonly eos: number | null;
  readonly pad: number | null;
}

/** What a folder for transformers needs beside the model. */
export interface TransformersOptions {
  /** How weights are stored. Default F32. */
  readonly dtype?: FloatDType;
  /** Contents of tokenizer.json and tokenizer_config.json, the image token among their tokens. */
  readonly tokenizer: { readonly "tokenizer.json": object; readonly "tokenizer_config.json": object };
  /** The token that stands for one row of an image. */
  readonly imageToken: { readonly id: number; readonly content: string };
  readonly special: SpecialIds;
  /** Contents of preprocessor_config.json. */
  readonly processor: Readonly<Record<string, unknown>>;
  /** Jinja; null: none. */
  readonly chatTemplate: string | null;
}

/**
 * Writes a folder that transformers opens with `LlavaForConditionalGeneration.from_pretrained` and `AutoProcessor`. Table
 * and head grow where the image token lies behind their last row.
 *
 * @throws `BasicError` `E_CONFIG` for parts that this class does not have, `E_DISK_FULL`.
 */
export async function saveForTransformers(
  folder: string,
  model: LlavaModel,
  options: TransformersOptions,
): Promise<void> {
  checkLlava(model);
  const { imageToken, tokenizer, special, chatTemplate, dtype = "F32" } = options;
  const rows = Math.max(model.language.vocabularySize, imageToken.id + 1);
  const config = { ...model.config, imageTokenId: imageToken.id };
  await saveHuggingFace(folder, { ...model, config }, { dtype, vocabularySize: rows });
  const { chat_template: _, ...settings } = tokenizer["tokenizer_config.json"] as Record<string, unknown>;
  const files: Readonly<Record<string, object>> = {
    "tokenizer.json": tokenizer["tokenizer.json"],
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      ...settings,
      image_token: imageToken.content,
      processor_class: "LlavaProcessor",
    },
    "preprocessor_config.json": { ...options.processor, processor_class: "LlavaProcessor" },
    "processor_config.json": processorConfig(model, imageToken.content),
    "generation_config.json": generationConfig(special),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeJson(join(folder, name), content);
  }
  if (chatTemplate !== null) await writeText(join(folder, "chat_template.jinja"), chatTemplate);
}

/** How many tokens a picture takes: patches, and the class token where it is kept. */
function processorConfig({ vision }: LlavaModel, imageToken: string): object {
  const { patchSize, classToken } = vision.config;
  return {
    processor_class: "LlavaProcessor",
    image_token: imageToken,
    num_additional_image_tokens: classToken ? 1 : 0,
    patch_size: patchSize,
    vision_feature_select_strategy: vision.select === "patch" && classToken ? "default" : "full",
  };
}

function generationConfig({ bos, eos, pad }: SpecialIds): object {
  return {
    do_sample: false,
    ...(bos !== null && { bos_token_id: bos }),
    ...(eos !== null && { eos_token_id: eos }),
    ...((pad ?? eos) !== null && { pad_token_id: pad ?? eos }),
  };
}

function checkLlava({ vision, projector, config }: LlavaModel): void {
  const { names, classToken, preNorm, patchBias } = vision.config;
  const isClip = classToken && preNorm && !patchBias;
  const isSiglip = !classToken && !preNorm && patchBias;
  if (names !== "clip" || !(isClip || isSiglip)) {
    throw inexpressible(
      "the encoder",
      "CLIP's or SigLIP's",
      names === "dinov2" ? "DINOv2's" : "of another shape",
    );
  }
  requireLlavaProjector(projector, inexpressible, config.gridPinpoints !== undefined);
}

/** @param possible - What to train with. */
function inexpressible(
  what: string,
  expected: string,
  given: string,
  possible = "the projector mlp2x_gelu and an encoder of CLIP or SigLIP",
): BasicError {
  return new BasicError(
    "E_CONFIG",
    `transformers' LLaVA cannot hold this model: ${what} must be ${expected}, got ${given}. ` +
      `Train with ${possible}, or convert with --to basic.`,
  );
}

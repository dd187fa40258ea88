import { join } from "node:path";
import { BasicError, IMAGE_NEWLINE } from "@basic-mllm/core";

import type { FloatDType } from "../dtypes.js";
import { writeText } from "../files.js";
import { type LlavaModel, saveHuggingFace } from "../hugging-face.js";
import { writeJson } from "../json-file.js";
import { refuseTiles, requireLlavaProjector } from "../llava-projector.js";

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
 * Writes a folder that transformers opens with `LlavaForConditionalGeneration.from_pretrained` and `AutoProcessor`; a model
 * whose config has `gridPinpoints` with `LlavaNextForConditionalGeneration`. Table and head grow where the image token
 * lies behind their last row.
 *
 * @throws `BasicError` `E_CONFIG` for parts that these classes do not have, `E_DISK_FULL`.
 */
export async function saveForTransformers(
  folder: string,
  model: LlavaModel,
  options: TransformersOptions,
): Promise<void> {
  checkLlava(model, options.processor);
  const { imageToken, tokenizer, special, chatTemplate, dtype = "F32" } = options;
  const rows = Math.max(model.language.vocabularySize, imageToken.id + 1);
  const config = { ...model.config, imageTokenId: imageToken.id };
  await saveHuggingFace(folder, { ...model, config }, { dtype, vocabularySize: rows });
  const { chat_template: _, ...settings } = tokenizer["tokenizer_config.json"] as Record<string, unknown>;
  const processorClass = model.config.gridPinpoints ? "LlavaNextProcessor" : "LlavaProcessor";
  const files: Readonly<Record<string, object>> = {
    "tokenizer.json": tokenizer["tokenizer.json"],
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      ...settings,
      image_token: imageToken.content,
      processor_class: processorClass,
    },
    "preprocessor_config.json": { ...options.processor, processor_class: processorClass },
    "processor_config.json": {
      processor_class: processorClass,
      ...processorConfig(model, imageToken.content),
    },
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

function checkLlava(
  { vision, projector, config }: LlavaModel,
  processor: TransformersOptions["processor"],
): void {
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
  requireLlavaProjector(projector, inexpressible);
  checkTiles({ vision, projector, config }, processor);
}

/** The model cuts pictures by its config, the processor by its own file, and rows end in a vector of the projector. */
function checkTiles(
  { vision, projector, config }: Pick<LlavaModel, "vision" | "projector" | "config">,
  processor: TransformersOptions["processor"],
): void {
  const { gridPinpoints } = config;
  if (gridPinpoints === undefined) {
    refuseTiles(projector, inexpressible);
    return;
  }
  if (!projector.parameters.has(IMAGE_NEWLINE)) {
    const instead = "model.imageAspectRatio anyres, or call addImageNewline";
    throw inexpressible("the projector", "one with `image_newline`", "none", instead);
  }
  if (vision.config.classToken && vision.select !== "patch") {
    throw inexpressible("the features of tiles", "those of patches", "patches and class token");
  }
  const [asked, given] = [gridPinpoints, processor["image_grid_pinpoints"]].map((list) =>
    JSON.stringify(list),
  );
  if (asked === given) return;
  throw new BasicError(
    "E_CONFIG",
    `The model cuts pictures to the sizes ${asked}, but its preprocessor_config.json says image_grid_pinpoints ${given ?? "(nothing)"}: ` +
      "transformers would count other rows than it makes. Use the file that belongs to the model.",
  );
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

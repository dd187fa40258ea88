import {
  BasicError,
  type ComponentOptions,
  type DecoderConfig,
  type FeatureSelection,
  type VitConfig,
} from "@basic-mllm/core";

import { decoderFamilies, readDecoderConfig, writeDecoderConfig } from "./hf-decoder.js";
import { ConfigFields } from "./hf-fields.js";
import { isVisionType, readVitConfig, visionTypes, writeVitConfig } from "./hf-vision.js";

/** A projector as a config names it. */
export interface ProjectorConfig {
  /** Name for `createProjector`. */
  readonly name: string;
  /** Options for `createProjector`. */
  readonly options: ComponentOptions;
}

/** What a LLaVA config.json says. */
export interface LlavaConfig {
  readonly vision: VitConfig;
  readonly language: DecoderConfig;
  readonly projector: ProjectorConfig;
  /** Index into the encoder's hidden states. */
  readonly featureLayer: number;
  readonly featureSelection: FeatureSelection;
  /** Token that stands for an image in texts. */
  readonly imageTokenId: number;
  /** LLaVA-1.6 (`llava_next`): sizes `[height, width]` for pictures that are cut into tiles. Its projector has `image_newline`. */
  readonly gridPinpoints?: readonly (readonly [height: number, width: number])[];
}

/** A config of one of the kinds that we read. */
export type ModelConfig =
  | { readonly kind: "llava"; readonly config: LlavaConfig }
  | { readonly kind: "language"; readonly config: DecoderConfig }
  | { readonly kind: "vision"; readonly config: VitConfig };

/**
 * Reads a Hugging Face config.json: llava, a language model, or a CLIP, SigLIP or DINOv2 vision tower.
 *
 * @param json - The parsed file.
 * @throws `BasicError` `E_CONFIG` naming the field that is missing, unknown or not supported.
 */
export function parseHuggingFaceConfig(json: unknown, where = "config.json"): ModelConfig {
  const fields = new ConfigFields(json, where);
  const type = fields.text("model_type", "");
  if (type === "llava" || type === "llava_next") return { kind: "llava", config: readLlavaConfig(fields) };
  if (isVisionType(type)) return { kind: "vision", config: readVitConfig(fields) };
  if (type === "") {
    throw new BasicError(
      "E_CONFIG",
      `${where} has no \`model_type\`. It must be Hugging Face's config.json.`,
    );
  }
  if (!decoderFamilies.includes(type)) throw unknownArchitecture(fields, type, where);
  return { kind: "language", config: readDecoderConfig(fields) };
}

function unknownArchitecture(fields: ConfigFields, type: string, where: string): BasicError {
  const classes = (fields.list("architectures") ?? []).map(String).join(", ");
  return new BasicError(
    "E_CONFIG",
    `${where}: the architecture "${type}"${classes === "" ? "" : ` (${classes})`} is not supported. Supported \`model_type\`s: ` +
      `language models ${decoderFamilies.join(", ")} (Vicuna and SmolLM2 are llama); vision towers ${visionTypes.join(", ")}; ` +
      "both with a projector: llava, llava_next.",
  );
}

function readLlavaConfig(fields: ConfigFields): LlavaConfig {
  const vision = required(fields, "vision_config");
  const text = required(fields, "text_config");
  if (fields.text("projector_hidden_act", "gelu") !== "gelu")
    throw fields.unsupported("projector_hidden_act", '"gelu"');
  const strategy = fields.text("vision_feature_select_strategy", "default");
  if (strategy !== "default" && strategy !== "full") {
    throw fields.unsupported("vision_feature_select_strategy", '"default" or "full"');
  }
  fields.ignore("image_seq_length", "tie_word_embeddings", "image_token_id");
  const vit = readVitConfig(vision);
  if (strategy === "default" && !vit.classToken) {
    // Hugging Face would drop the first patch.
    throw fields.unsupported("vision_feature_select_strategy", '"full" for an encoder without a class token');
  }
  if (vit.registers > 0 && (strategy === "full" || !fields.flag("basic_drop_registers", false))) {
    // Hugging Face would hand registers on as if they were patches.
    throw fields.unsupported(
      "basic_drop_registers",
      'true, and `vision_feature_select_strategy` "default", for an encoder with registers',
    );
  }
  const config: LlavaConfig = {
    vision: vit,
    language: readDecoderConfig(text),
    projector: readProjector(fields),
    featureLayer: fields.number("vision_feature_layer", -2),
    featureSelection: strategy === "full" && vit.classToken ? "cls_patch" : "patch",
    imageTokenId: fields.number("image_token_index", fields.number("image_token_id", 32_000)),
    ...(fields.text("model_type", "") === "llava_next" && { gridPinpoints: readPinpoints(fields) }),
  };
  fields.finish();
  return config;
}

/** LLaVA-1.6: where pictures are cut into tiles. */
function readPinpoints(fields: ConfigFields): NonNullable<LlavaConfig["gridPinpoints"]> {
  fields.ignore("use_image_newline_parameter", "vision_aspect_ratio");
  const pairs = fields.list("image_grid_pinpoints");
  const isSize = (pair: unknown): pair is readonly [number, number] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((side) => Number.isInteger(side) && side > 0);
  if (pairs !== null && pairs.length > 0 && pairs.every(isSize)) return pairs;
  throw fields.unsupported("image_grid_pinpoints", "pairs [height, width] in pixels");
}

function required(fields: ConfigFields, name: string): ConfigFields {
  const nested = fields.object(name);
  if (nested === null) throw fields.unsupported(name, "an object");
  return nested;
}

/** What follows from the models around a projector, or is a tensor. */
const PLACE_FIELDS: ReadonlySet<string> = new Set([
  "features",
  "width",
  "patches",
  "vocabularySize",
  "vocabulary",
  "seed",
  "values",
]);

/** LLaVA's two products, or what {@link writeLlavaConfig} stored about another projector. */
export function readProjector(fields: ConfigFields): ProjectorConfig {
  const bias = fields.flag("multimodal_projector_bias", true);
  const ours = fields.object("basic_projector");
  if (ours === null) return { name: "mlp2x_gelu", options: { bias } };
  const name = ours.text("name", "mlp2x_gelu");
  // createProjector checks what is in there.
  const given = ours.object("options") === null ? null : (ours.raw("options") as ComponentOptions);
  const options = given ?? earlierOptions(ours, bias);
  if (Object.keys(options).some((key) => PLACE_FIELDS.has(key))) {
    throw ours.unsupported(
      "options",
      `options of the projector alone, without ${[...PLACE_FIELDS].join(", ")}`,
    );
  }
  ours.finish();
  return { name, options };
}

/** Fields of configs from before `options`. */
function earlierOptions(fields: ConfigFields, biasOfLlava: boolean): ComponentOptions {
  const rms = fields.number("output_rms", 0);
  const factor = fields.number("factor", 1);
  return {
    bias: fields.flag("bias", biasOfLlava),
    ...(factor > 1 && { factor }),
    ...(rms !== 0 && { outputNorm: { rms } }),
  };
}

/**
 * The config in Hugging Face's spelling. A projector that LLaVA does not have is described by the extra field
 * `basic_projector`, which transformers ignores.
 *
 * @param imageRows - Rows that an image of the encoder's size gives.
 */
export function writeLlavaConfig(config: LlavaConfig, imageRows: number): Record<string, unknown> {
  const { vision, language, projector, featureLayer, featureSelection, imageTokenId, gridPinpoints } = config;
  const { name, options } = projector;
  const { bias = true, ...others } = options;
  const isLlava = ["mlp2x_gelu", "gelu-mlp"].includes(name) && Object.keys(others).length === 0;
  return {
    architectures: [gridPinpoints ? "LlavaNextForConditionalGeneration" : "LlavaForConditionalGeneration"],
    model_type: gridPinpoints ? "llava_next" : "llava",
    ...(gridPinpoints && { image_grid_pinpoints: gridPinpoints }),
    image_seq_length: imageRows,
    image_token_index: imageTokenId,
    multimodal_projector_bias: bias,
    projector_hidden_act: "gelu",
    text_config: writeDecoderConfig(language),
    tie_word_embeddings: language.tiedHead,
    torch_dtype: "float32",
    vision_config: writeVitConfig(vision),
    vision_feature_layer: featureLayer,
    vision_feature_select_strategy: featureSelection === "patch" && vision.classToken ? "default" : "full",
    ...(vision.registers > 0 && { basic_drop_registers: featureSelection === "patch" }),
    ...(!isLlava && { basic_projector: { name, options } }),
  };
}

export { writeDecoderConfig } from "./hf-decoder.js";
export { writeVitConfig } from "./hf-vision.js";

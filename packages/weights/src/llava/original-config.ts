import type { FeatureSelection, VitConfig } from "@basic-mllm/core";
import type { LlavaConfig } from "../hf-config.js";
import { readDecoderConfig } from "../hf-decoder.js";
import { ConfigFields } from "../hf-fields.js";

/** What the config.json of an original LLaVA says beside the maths. */
export interface OriginalConfig extends LlavaConfig {
  /** `square` or `pad`: how pictures become the encoder's input. */
  readonly imageAspectRatio: "square" | "pad";
  /** Name of the encoder on the hub. */
  readonly visionTower: string;
}

/** The language model inside, by LLaVA's names. */
const families: Readonly<Record<string, string>> = {
  llava: "llama",
  llava_llama: "llama",
  llava_mistral: "mistral",
  llava_qwen: "qwen2",
  llava_qwen2: "qwen2",
  llava_gemma: "gemma",
};

/** Fields of LLaVA's training that change nothing in the model. */
const training = [
  "freeze_mm_mlp_adapter",
  "freeze_mm_vision_resampler",
  "mm_hidden_size",
  "mm_projector_lr",
  "mm_use_im_patch_token",
  "tokenizer_model_max_length",
  "tokenizer_padding_side",
  "tune_mm_mlp_adapter",
  "tune_mm_vision_resampler",
  "unfreeze_mm_vision_tower",
  "use_mm_proj",
];

/** Fields that {@link readOriginalConfig} reads for LLaVA; the others are the language model's. */
const own = [
  ...training,
  "image_aspect_ratio",
  "image_grid_pinpoints",
  "mm_patch_merge_type",
  "mm_projector_type",
  "mm_resampler_type",
  "mm_use_im_start_end",
  "mm_vision_select_feature",
  "mm_vision_select_layer",
  "mm_vision_tower",
  "vision_tower",
];

/** Whether a config.json is that of a LLaVA as its own code writes it, and not transformers'. */
export function isOriginalLlava(json: object): boolean {
  return "mm_vision_tower" in json || "mm_projector_type" in json;
}

/**
 * Reads the config.json of an original LLaVA.
 *
 * @param vision - Of its encoder, whose config is in a folder of its own.
 * @throws `BasicError` `E_CONFIG` naming the field that we cannot follow.
 */
export function readOriginalConfig(json: object, where: string, vision: VitConfig): OriginalConfig {
  const all = json as Readonly<Record<string, unknown>>;
  const fields = new ConfigFields(
    Object.fromEntries(Object.entries(all).filter(([name]) => own.includes(name) || name === "model_type")),
    where,
  );
  const family = fields.choice("model_type", "llava", families);
  const text = Object.fromEntries(Object.entries(all).filter(([name]) => !own.includes(name)));
  const language = readDecoderConfig(new ConfigFields({ ...text, model_type: family }, where));
  fields.ignore(...training, "image_grid_pinpoints", "vision_tower", "mm_vision_tower");
  if (fields.flag("mm_use_im_start_end", false)) throw fields.unsupported("mm_use_im_start_end", "false");
  if (fields.has("mm_resampler_type")) throw fields.unsupported("mm_resampler_type", "null");
  if (fields.text("mm_patch_merge_type", "flat") !== "flat") {
    throw fields.unsupported(
      "mm_patch_merge_type",
      '"flat": LLaVA-1.6 with tiles is a model of another type',
    );
  }
  const projector = fields.text("mm_projector_type", "linear");
  if (!/^(linear|identity|mlp([2-9]|[1-9]\d+)x_gelu)$/.test(projector)) {
    throw fields.unsupported("mm_projector_type", '"linear", "identity" or "mlpNx_gelu"');
  }
  const config: OriginalConfig = {
    vision,
    language,
    projector: { name: projector, options: {} },
    featureLayer: fields.number("mm_vision_select_layer", -2),
    featureSelection: readSelection(fields),
    // The original marks images with −200, which is no token: one more than the last one, until one is added.
    imageTokenId: language.vocabularySize,
    imageAspectRatio: readAspectRatio(fields),
    visionTower: fields.text("mm_vision_tower", fields.text("vision_tower", "")),
  };
  fields.finish();
  return config;
}

function readSelection(fields: ConfigFields): FeatureSelection {
  const selection = fields.text("mm_vision_select_feature", "patch");
  if (selection === "patch" || selection === "cls_patch") return selection;
  throw fields.unsupported("mm_vision_select_feature", '"patch" or "cls_patch"');
}

function readAspectRatio(fields: ConfigFields): OriginalConfig["imageAspectRatio"] {
  const ratio = fields.text("image_aspect_ratio", "square");
  if (ratio === "square" || ratio === "pad") return ratio;
  throw fields.unsupported("image_aspect_ratio", '"square" or "pad"');
}

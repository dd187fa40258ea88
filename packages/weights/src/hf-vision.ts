import { clipConfig, type FusedActivation, siglipConfig, type VitConfig } from "@basic-mllm/core";

import type { ConfigFields } from "./hf-fields.js";

const activations: Readonly<Record<string, FusedActivation>> = {
  quick_gelu: "quick-gelu",
  gelu: "gelu-erf",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  silu: "silu",
};

/** Defaults of Hugging Face's config classes: a config.json holds only what differs from them. */
const clipDefaults = {
  width: 768,
  inner: 3072,
  depth: 12,
  heads: 12,
  image: 224,
  patch: 32,
  epsilon: 1e-5,
  act: "quick_gelu",
};
const siglipDefaults = { ...clipDefaults, patch: 16, epsilon: 1e-6, act: "gelu_pytorch_tanh" };

/**
 * Reads the config of a CLIP or SigLIP vision tower.
 *
 * @throws `E_CONFIG` for another `model_type` or a field that we cannot follow.
 */
export function readVitConfig(fields: ConfigFields): VitConfig {
  const type = fields.text("model_type", "clip_vision_model");
  const nested = fields.object("vision_config");
  if (nested !== null) return readVitConfig(nested);
  const isClip = type === "clip_vision_model" || type === "clip";
  if (!isClip && type !== "siglip_vision_model" && type !== "siglip") {
    throw fields.unsupported("model_type", '"clip_vision_model" or "siglip_vision_model"');
  }
  const defaults = isClip ? clipDefaults : siglipDefaults;
  const activation = activations[fields.text("hidden_act", defaults.act)];
  if (activation === undefined)
    throw fields.unsupported("hidden_act", `one of ${Object.keys(activations).join(", ")}`);
  if (fields.number("num_channels", 3) !== 3) throw fields.unsupported("num_channels", "3");
  if (isClip) fields.ignore("vocab_size");
  const sizes = {
    imageSize: fields.number("image_size", defaults.image),
    patchSize: fields.number("patch_size", defaults.patch),
    width: fields.number("hidden_size", defaults.width),
    depth: fields.number("num_hidden_layers", defaults.depth),
    heads: fields.number("num_attention_heads", defaults.heads),
    inner: fields.number("intermediate_size", defaults.inner),
    normEpsilon: fields.number("layer_norm_eps", defaults.epsilon),
    activation,
  };
  fields.finish();
  return isClip ? clipConfig(sizes) : siglipConfig(sizes);
}

/** The config in Hugging Face's spelling. */
export function writeVitConfig(config: VitConfig): Record<string, unknown> {
  const isClip = config.classToken;
  return {
    architectures: [isClip ? "CLIPVisionModel" : "SiglipVisionModel"],
    model_type: isClip ? "clip_vision_model" : "siglip_vision_model",
    hidden_act: nameOf(config.activation),
    hidden_size: config.width,
    image_size: config.imageSize,
    intermediate_size: config.inner,
    layer_norm_eps: config.normEpsilon,
    num_attention_heads: config.heads,
    num_channels: 3,
    num_hidden_layers: config.depth,
    patch_size: config.patchSize,
    ...(!isClip && { vision_use_head: false }),
  };
}

/** Hugging Face's name of an activation. */
export function nameOf(activation: FusedActivation): string {
  if (activation === "gelu-tanh") return "gelu_pytorch_tanh";
  const found = Object.entries(activations).find(([, ours]) => ours === activation);
  return found?.[0] ?? "linear";
}

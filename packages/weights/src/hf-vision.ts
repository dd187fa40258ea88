import {
  BasicError,
  clipConfig,
  dinov2Config,
  type FusedActivation,
  siglipConfig,
  type VitConfig,
} from "@basic-mllm/core";

import type { ConfigFields } from "./hf-fields.js";

const activations: Readonly<Record<string, FusedActivation>> = {
  quick_gelu: "quick-gelu",
  gelu: "gelu-erf",
  gelu_new: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  silu: "silu",
};

type Family = "clip" | "siglip" | "dinov2" | "dinov2_with_registers";

/** The families by what `model_type` may say. */
const families: Readonly<Record<string, Family>> = {
  clip: "clip",
  clip_vision_model: "clip",
  siglip: "siglip",
  siglip_vision_model: "siglip",
  siglip2: "siglip",
  siglip2_vision_model: "siglip",
  dinov2: "dinov2",
  dinov2_with_registers: "dinov2_with_registers",
};

/** What `model_type` of a vision tower may say. */
export const visionTypes: readonly string[] = Object.keys(families);

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
const dinoDefaults = { ...siglipDefaults, act: "gelu" };
const defaults: Readonly<Record<Family, typeof clipDefaults>> = {
  clip: clipDefaults,
  siglip: siglipDefaults,
  dinov2: dinoDefaults,
  dinov2_with_registers: dinoDefaults,
};

/** Whether a `model_type` is one of a vision tower. */
export function isVisionType(type: string): boolean {
  return Object.hasOwn(families, type);
}

/** SigLIP 2 for pictures of any shape counts patches; one of fixed size has the side of its pictures, as SigLIP has. */
function checkFixedSize(fields: ConfigFields): void {
  if (fields.raw("num_patches") === undefined && fields.raw("image_size") !== undefined) return;
  throw fields.unsupported(
    "model_type",
    "that of a SigLIP 2 of fixed size, which has `image_size` and no `num_patches` (NaFlex, with patches of any picture shape, is not supported: take the checkpoint of fixed size)",
  );
}

/**
 * Reads the config of a CLIP, SigLIP (1, or 2 of fixed size) or DINOv2 vision tower.
 *
 * @param byDefault - `model_type` where the file says none.
 * @throws `E_CONFIG` for another `model_type` or a field that we cannot follow.
 */
export function readVitConfig(fields: ConfigFields, byDefault = "clip_vision_model"): VitConfig {
  const type = fields.text("model_type", byDefault);
  const nested = fields.object("vision_config");
  if (nested !== null) return readVitConfig(nested, type);
  if (type.startsWith("siglip2")) checkFixedSize(fields);
  const family = fields.choice("model_type", byDefault, families);
  const sizes = readSizes(fields, defaults[family]);
  fields.ignore("tie_word_embeddings");
  const config = family.startsWith("dinov2")
    ? dinov2Config({ ...sizes, ...readDino(fields, family, sizes.width) })
    : sized(fields, family, sizes);
  fields.finish();
  return config;
}

type Sizes = ReturnType<typeof readSizes>;

function readSizes(fields: ConfigFields, byDefault: typeof clipDefaults) {
  const activation = fields.choice("hidden_act", byDefault.act, activations);
  if (fields.number("num_channels", 3) !== 3) throw fields.unsupported("num_channels", "3");
  return {
    imageSize: fields.number("image_size", byDefault.image),
    patchSize: fields.number("patch_size", byDefault.patch),
    width: fields.number("hidden_size", byDefault.width),
    depth: fields.blocks("num_hidden_layers", byDefault.depth),
    heads: fields.number("num_attention_heads", byDefault.heads),
    inner: byDefault.inner,
    normEpsilon: fields.number("layer_norm_eps", byDefault.epsilon),
    activation,
  };
}

function sized(fields: ConfigFields, family: Family, sizes: Sizes): VitConfig {
  const inner = fields.number("intermediate_size", sizes.inner);
  return family === "clip" ? clipConfig({ ...sizes, inner }) : siglipConfig({ ...sizes, inner });
}

function readDino(fields: ConfigFields, family: Family, width: number) {
  // Of training from scratch, of masked training, and of the backbone classes.
  fields.ignore("layerscale_value", "drop_path_rate", "use_mask_token");
  fields.ignore("apply_layernorm", "reshape_hidden_states", "out_features", "out_indices", "stage_names");
  const hasRegisters = family === "dinov2_with_registers";
  const swiglu = fields.flag("use_swiglu_ffn", false);
  const inner = Math.floor(width * fields.number("mlp_ratio", 4));
  return {
    inner: swiglu ? swigluInner(inner) : inner,
    swiglu,
    inputBias: fields.flag("qkv_bias", true),
    antialias: hasRegisters,
    registers: hasRegisters ? fields.number("num_register_tokens", 4) : 0,
  };
}

/** Two thirds, up to a multiple of 8. */
function swigluInner(inner: number): number {
  return Math.ceil(Math.floor((inner * 2) / 3) / 8) * 8;
}

/** The config in Hugging Face's spelling. */
export function writeVitConfig(config: VitConfig): Record<string, unknown> {
  const common = {
    hidden_act: nameOf(config.activation),
    hidden_size: config.width,
    image_size: config.imageSize,
    layer_norm_eps: config.normEpsilon,
    num_attention_heads: config.heads,
    num_channels: 3,
    num_hidden_layers: config.depth,
    patch_size: config.patchSize,
  };
  if (config.names === "dinov2") return { ...writeDino(config), ...common };
  const isClip = config.classToken;
  return {
    architectures: [isClip ? "CLIPVisionModel" : "SiglipVisionModel"],
    model_type: isClip ? "clip_vision_model" : "siglip_vision_model",
    ...common,
    intermediate_size: config.inner,
    ...(!isClip && { vision_use_head: false }),
  };
}

function writeDino(config: VitConfig): Record<string, unknown> {
  // One with registers smooths its positions: both or neither.
  const hasRegisters = config.antialias;
  return {
    architectures: [hasRegisters ? "Dinov2WithRegistersModel" : "Dinov2Model"],
    model_type: hasRegisters ? "dinov2_with_registers" : "dinov2",
    mlp_ratio: mlpRatio(config),
    qkv_bias: config.inputBias,
    use_swiglu_ffn: config.swiglu,
    ...(hasRegisters ? { num_register_tokens: config.registers } : { use_mask_token: false }),
  };
}

function mlpRatio({ width, inner, swiglu }: VitConfig): number {
  const candidates = Array.from({ length: 64 }, (_, i) => i + 1);
  const found = candidates.find((ratio) => (swiglu ? swigluInner(width * ratio) : width * ratio) === inner);
  if (found !== undefined) return found;
  throw new BasicError(
    "E_CONFIG",
    `writeVitConfig: an inner width of ${inner} is no whole \`mlp_ratio\` of width ${width}, which is how DINOv2's config gives it. ` +
      "Choose a multiple.",
  );
}

/** Hugging Face's name of an activation. */
export function nameOf(activation: FusedActivation): string {
  if (activation === "gelu-tanh") return "gelu_pytorch_tanh";
  const found = Object.entries(activations).find(([, ours]) => ours === activation);
  return found?.[0] ?? "linear";
}

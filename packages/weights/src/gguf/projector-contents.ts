import { BasicError, type FusedActivation, type MlpProjector, type Parameter } from "@basic-mllm/core";

import type { LlavaModel } from "../hugging-face.js";
import { refuseTiles, requireLlavaProjector } from "../llava-projector.js";
import { generalFields } from "./decoder-contents.js";
import { bool, float32, float32s, type GgufFieldValues, int32s, string, uint32 } from "./field-values.js";
import type { GgufContents, GgufTensor, WrittenType } from "./write.js";

/** Options of {@link projectorContents}. */
export interface ProjectorContentsOptions {
  /** How matrices are stored: F32, F16 or BF16. Vectors, positions and, with BF16, the patch product are F32. */
  readonly type: Exclude<WrittenType, "Q8_0">;
  /** `general.name`. */
  readonly name: string;
  /** What pixels, from 0 to 1, are normalised with. */
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Parts of a block: ours and llama.cpp's. */
const blockParts: Readonly<Record<string, string>> = {
  layer_norm1: "ln1",
  layer_norm2: "ln2",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.out_proj": "attn_out",
  "mlp.fc1": "ffn_up",
  "mlp.fc2": "ffn_down",
};

/** Parts outside of the blocks. The norm after the last block is not run before a projector. */
const names: Readonly<Record<string, string>> = {
  "embeddings.class_embedding": "v.class_embd",
  "embeddings.patch_embedding.weight": "v.patch_embd.weight",
  "embeddings.patch_embedding.bias": "v.patch_embd.bias",
  "embeddings.position_embedding.weight": "v.position_embd.weight",
  "pre_layrnorm.weight": "v.pre_ln.weight",
  "pre_layrnorm.bias": "v.pre_ln.bias",
};

/**
 * Encoder and projector as the mmproj file of llama.cpp's multimodal tools: architecture `clip`, projector type `mlp`.
 * Blocks behind the features' layer are left out.
 *
 * @throws `BasicError` `E_CONFIG` for an encoder that is neither CLIP nor SigLIP, features with the class token, pictures
 *   that are cut into tiles, or a projector that is not of two products.
 */
export function projectorContents(
  model: Pick<LlavaModel, "vision" | "projector" | "language">,
  options: ProjectorContentsOptions,
): GgufContents {
  checkEncoder(model.vision);
  refuseTiles(model.projector, inexpressible);
  const projector = requireLlavaProjector(model.projector, inexpressible);
  const { type, name } = options;
  return {
    fields: { ...generalFields("clip", { kind: "mmproj", name, type }), ...clipFields(model, options) },
    tensors: [...encoderTensors(model.vision, type), ...projectorTensors(projector, type)],
  };
}

function clipFields(
  { vision, language }: Pick<LlavaModel, "vision" | "language">,
  { mean, std }: ProjectorContentsOptions,
): GgufFieldValues {
  const { config, blocksRun } = vision;
  return {
    "clip.has_vision_encoder": bool(true),
    "clip.projector_type": string("mlp"),
    ...activationFields(config.activation),
    "clip.vision.image_size": uint32(config.imageSize),
    "clip.vision.patch_size": uint32(config.patchSize),
    "clip.vision.embedding_length": uint32(config.width),
    "clip.vision.feed_forward_length": uint32(config.inner),
    "clip.vision.block_count": uint32(blocksRun),
    // Else llama.cpp would leave the last block out.
    "clip.vision.feature_layer": int32s([blocksRun]),
    "clip.vision.projection_dim": uint32(language.width),
    "clip.vision.attention.head_count": uint32(config.heads),
    "clip.vision.attention.layer_norm_epsilon": float32(config.normEpsilon),
    "clip.vision.image_mean": float32s(mean),
    "clip.vision.image_std": float32s(std),
  };
}

/** llama.cpp's GELU is the tanh form; with neither flag it takes the quick one. */
function activationFields(activation: FusedActivation): GgufFieldValues {
  return {
    "clip.use_gelu": bool(activation === "gelu-tanh" || activation === "gelu-erf"),
    "clip.use_silu": bool(activation === "silu"),
  };
}

function encoderTensors(
  { parameters, blocksRun }: LlavaModel["vision"],
  type: ProjectorContentsOptions["type"],
): readonly GgufTensor[] {
  return [...parameters].flatMap((parameter) => {
    const name = encoderName(parameter.name, blocksRun);
    if (name === undefined) return [];
    const isMatrix = parameter.shape.length > 1 && name !== "v.position_embd.weight";
    // The patch product is a convolution, which has no BF16.
    const own = name === "v.patch_embd.weight" && type === "BF16" ? "F32" : type;
    return [tensorOf(name, parameter, isMatrix ? own : "F32")];
  });
}

/** Undefined for what is not run. */
function encoderName(name: string, blocksRun: number): string | undefined {
  const bare = name.replace(/^vision_model\./, "");
  if (bare.startsWith("post_layernorm.")) return undefined;
  const [, block = "", part = "", kind = ""] =
    /^encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(bare) ?? [];
  if (block === "") return names[bare];
  return Number(block) < blocksRun ? `v.blk.${block}.${blockParts[part]}.${kind}` : undefined;
}

/** llama.cpp adds biases without asking for them. */
function projectorTensors(
  { layers }: MlpProjector,
  type: ProjectorContentsOptions["type"],
): readonly GgufTensor[] {
  return layers.flatMap(({ weight, bias, outFeatures }, i): readonly GgufTensor[] => {
    const place = 2 * i;
    const zeros = {
      name: `mm.${place}.bias`,
      shape: [outFeatures],
      values: () => new Float32Array(outFeatures),
    };
    return [
      tensorOf(`mm.${place}.weight`, weight, type),
      bias === null ? { ...zeros, type: "F32" } : tensorOf(`mm.${place}.bias`, bias, "F32"),
    ];
  });
}

function tensorOf(name: string, parameter: Parameter, type: WrittenType): GgufTensor {
  return { name, shape: parameter.shape, type, values: () => parameter.floats() };
}

function checkEncoder({ config, select, blocksRun }: LlavaModel["vision"]): void {
  const { names: family, registers, layerScale, swiglu, inputBias, inner, width, activation } = config;
  if (family !== "clip" || registers > 0 || layerScale || swiglu || !inputBias) {
    throw inexpressible("the encoder", "of CLIP's or SigLIP's shape", "one of DINOv2's");
  }
  if (activation === "none") throw inexpressible("the encoder's activation", "a GELU or SiLU", "none");
  if (select !== "patch") throw inexpressible("the features", "those of patches", "patches and class token");
  if (blocksRun === 0) throw inexpressible("the features", "the output of a block", "the encoder's input");
  // llama.cpp looks at the width to find old files in which they are swapped.
  if (inner === width)
    throw inexpressible("the encoder's inner width", "another than its width", String(inner));
}

/** @param possible - What to train with. */
function inexpressible(
  what: string,
  expected: string,
  given: string,
  possible = "the projector mlp2x_gelu",
): BasicError {
  return new BasicError(
    "E_CONFIG",
    `llama.cpp's mmproj file cannot hold this model: ${what} must be ${expected}, got ${given}. ` +
      `Export it to a Hugging Face folder instead, or train it with ${possible}.`,
  );
}

import { join } from "node:path";

import {
  BasicError,
  type BuiltInProjector,
  createDecoder,
  createProjector,
  createVit,
  type Decoder,
  type DecoderConfig,
  IMAGE_NEWLINE,
  type Lora,
  Parameter,
  type ParameterSet,
  type ValueSource,
  type Vit,
  type VitConfig,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { FloatDType } from "./dtypes.js";
import { writeAtomically, writeSafetensors } from "./files.js";
import { growRows } from "./grow-rows.js";
import {
  type LlavaConfig,
  parseHuggingFaceConfig,
  writeDecoderConfig,
  writeLlavaConfig,
  writeVitConfig,
} from "./hf-config.js";
import { fuseProducts, splitFused } from "./hf-fused.js";
import { readJson } from "./json-file.js";
import type { NamedTensor } from "./safetensors.js";
import { WeightFolder } from "./weight-folder.js";

/** A LLaVA-shaped model: its parts and the config that describes them. */
export interface LlavaModel {
  readonly kind: "llava";
  readonly vision: Vit;
  readonly projector: BuiltInProjector;
  readonly language: Decoder;
  readonly config: LlavaConfig;
}

/** What a folder in Hugging Face layout may hold. */
export type HuggingFaceModel =
  | LlavaModel
  | { readonly kind: "language"; readonly language: Decoder }
  | { readonly kind: "vision"; readonly vision: Vit };

/** Options of {@link loadHuggingFace}. */
export interface LoadOptions {
  /** Of a vision tower: which hidden state its features are. Default −2. A LLaVA's config says its own. */
  readonly layer?: number;
}

/**
 * Loads a folder with `config.json` and `model.safetensors` (or shards with an index): LLaVA, a language model,
 * or a vision tower. Names of the hub, of transformers 5 and of models in memory are understood.
 *
 * @throws `BasicError` `E_CONFIG` for a config that we cannot follow, `E_WEIGHTS_MISSING`,
 *   `E_WEIGHTS_FORMAT` for damaged files, other shapes, or weights that the model has no place for.
 */
export async function loadHuggingFace(folder: string, options: LoadOptions = {}): Promise<HuggingFaceModel> {
  const path = join(folder, "config.json");
  const parsed = parseHuggingFaceConfig(readJson(path), path);
  const weights = new WeightFolder(folder);
  try {
    const model = build(parsed, weights, options);
    weights.checkAllUsed();
    return model;
  } finally {
    weights.close();
  }
}

/**
 * {@link loadHuggingFace} for a folder that must hold LLaVA.
 *
 * @throws `BasicError` `E_CONFIG` when it holds something else.
 */
export async function loadLlava(folder: string): Promise<LlavaModel> {
  const model = await loadHuggingFace(folder);
  if (model.kind === "llava") return model;
  throw new BasicError("E_CONFIG", `${folder} holds a ${model.kind} model, expected model_type "llava".`);
}

function build(
  parsed: ReturnType<typeof parseHuggingFaceConfig>,
  weights: WeightFolder,
  options: LoadOptions,
): HuggingFaceModel {
  switch (parsed.kind) {
    case "vision": {
      const values = from(weights, visionNames);
      return { kind: "vision", vision: createVit(parsed.config, { ...options, values }) };
    }
    case "language": {
      const { config } = parsed;
      ignoreTiedHead(weights, config.tiedHead);
      return {
        kind: "language",
        language: createDecoder(config, { values: languageValues(weights, config) }),
      };
    }
    case "llava":
      return buildLlava(parsed.config, weights);
  }
}

/** The model of a config, out of weights under any of LLaVA's names. */
export function buildLlava(config: LlavaConfig, weights: WeightFolder): LlavaModel {
  ignoreTiedHead(weights, config.language.tiedHead);
  const model: LlavaModel = {
    kind: "llava",
    config,
    vision: createVit(config.vision, {
      values: from(weights, visionNames),
      layer: config.featureLayer,
      select: config.featureSelection,
    }),
    projector: createProjector(config.projector.name, {
      ...config.projector.options,
      features: config.vision.width,
      width: config.language.width,
      patches: patchesOf(config.vision),
      vocabularySize: config.language.vocabularySize,
      values: from(weights, projectorNames),
    }),
    language: createDecoder(config.language, { values: languageValues(weights, config.language) }),
  };
  if (config.gridPinpoints !== undefined) {
    const shape = [config.language.width];
    const values = weights.floats([IMAGE_NEWLINE, `model.${IMAGE_NEWLINE}`], shape);
    model.projector.parameters.add(new Parameter(IMAGE_NEWLINE, values, shape));
  }
  return model;
}

/** Patches of a picture of the encoder's own size. */
function patchesOf({ imageSize, patchSize }: VitConfig): readonly [number, number] {
  const side = Math.floor(imageSize / patchSize);
  return [side, side];
}

/** Parameters take their first values from the files. */
function from(weights: WeightFolder, namesOf: (name: string) => readonly string[]): ValueSource {
  return (name, shape) => weights.floats(namesOf(name), shape);
}

function languageValues(weights: WeightFolder, config: DecoderConfig): ValueSource {
  const values = from(weights, languageNames);
  return config.fusedProducts ? splitFused(values, config) : values;
}

/** A tied head is sometimes stored all the same. */
function ignoreTiedHead(weights: WeightFolder, tied: boolean): void {
  if (tied) for (const name of languageNames("lm_head.weight")) weights.ignore(name);
}

/** Where our `vision_model.X` may stand: alone, in a CLIP, in a LLaVA; the hub's name first. */
function visionNames(name: string): readonly string[] {
  const bare = name.replace(/^vision_model\./, "");
  return [
    name,
    bare,
    `vision_tower.${name}`,
    `vision_tower.${bare}`,
    `model.vision_tower.${name}`,
    `model.vision_tower.${bare}`,
    `model.vision_tower.vision_tower.${name}`,
    `dinov2.${name}`,
    `dinov2_with_registers.${name}`,
  ];
}

/** Where a projector's parameter may stand; the original LLaVA counts the GELUs between our `linear_N.X` as well. */
function projectorNames(name: string): readonly string[] {
  const [, layer, part] = /^linear_(\d+)\.(.+)$/.exec(name) ?? [];
  const original = layer === undefined ? name : `${2 * (Number(layer) - 1)}.${part}`;
  return [
    `multi_modal_projector.${name}`,
    `model.multi_modal_projector.${name}`,
    `model.mm_projector.${original}`,
    `mm_projector.${original}`,
    // A single product has no place in a sequence.
    ...(layer === "1" ? [`model.mm_projector.${part}`, `mm_projector.${part}`] : []),
  ];
}

/** Where our `model.X` and `lm_head.weight` may stand. */
function languageNames(name: string): readonly string[] {
  const bare = name.replace(/^model\./, "");
  return [name, `language_model.${name}`, `model.language_model.${bare}`, `language_model.${bare}`];
}

/** Options of {@link saveHuggingFace}. */
export interface SaveOptions {
  /** How weights are stored. Default F32. */
  readonly dtype?: FloatDType;
  /** Adapters of the language model: their updates are added to what is written, the model stays as it is. */
  readonly lora?: Lora;
  /** Rows of table and head, where tokens were added: new ones are the mean of the others. Default: as many as there are. */
  readonly vocabularySize?: number;
}

/**
 * Writes `model.safetensors` and `config.json` in the hub's layout, which transformers and llama.cpp's
 * converter read. Each file is written whole or not at all; other files of the folder stay.
 *
 * @throws `BasicError` `E_DISK_FULL`.
 */
export async function saveHuggingFace(
  folder: string,
  model: HuggingFaceModel,
  { dtype = "F32", lora, vocabularySize }: SaveOptions = {},
): Promise<void> {
  const { tensors: own, config: plain } = await exported(model, lora);
  const grows = vocabularySize !== undefined && model.kind !== "vision";
  const tensors = grows ? own.map((tensor) => growRows(tensor, vocabularySize)) : own;
  const config = grows ? withVocabulary(plain, vocabularySize) : plain;
  const torch = { F32: "float32", F16: "float16", BF16: "bfloat16" }[dtype];
  await writeSafetensors(join(folder, "model.safetensors"), tensors, { dtype });
  const json = `${JSON.stringify({ ...config, torch_dtype: torch }, undefined, 2)}\n`;
  await writeAtomically(join(folder, "config.json"), [new TextEncoder().encode(json)]);
}

/** Of a language model's config, or of the one inside of LLaVA's. */
function withVocabulary(config: Readonly<Record<string, unknown>>, size: number): Record<string, unknown> {
  const text = config["text_config"];
  return typeof text === "object" && text !== null
    ? { ...config, text_config: { ...text, vocab_size: size } }
    : { ...config, vocab_size: size };
}

async function exported(
  model: HuggingFaceModel,
  lora: Lora | undefined,
): Promise<{ tensors: readonly NamedTensor[]; config: Record<string, unknown> }> {
  switch (model.kind) {
    case "vision":
      return {
        tensors: await named(model.vision.parameters, ""),
        config: writeVitConfig(model.vision.config),
      };
    case "language":
      return {
        tensors: await namedLanguage(model.language, "", lora),
        config: writeDecoderConfig(model.language.config),
      };
    case "llava":
      return {
        tensors: [
          ...(await namedLanguage(model.language, "language_model.", lora)),
          ...(await named(model.projector.parameters, "multi_modal_projector.")),
          ...(await named(model.vision.parameters, "vision_tower.")),
        ],
        config: writeLlavaConfig(model.config, imageRows(model)),
      };
  }
}

function imageRows({ vision, projector }: LlavaModel): number {
  const side = Math.floor(vision.imageSize / vision.config.patchSize);
  const rows = side * side + (vision.select === "cls_patch" ? 1 + vision.config.registers : 0);
  return projector.gridAfter(vision.select === "cls_patch" ? null : [side, side], rows).rows;
}

async function namedLanguage(
  { parameters, config }: Decoder,
  prefix: string,
  lora?: Lora,
): Promise<NamedTensor[]> {
  const tensors = await named(parameters, prefix, lora);
  return config.fusedProducts ? fuseProducts(tensors) : tensors;
}

async function named(parameters: ParameterSet, prefix: string, lora?: Lora): Promise<NamedTensor[]> {
  const tensors: NamedTensor[] = [];
  for (const parameter of parameters) {
    const { name, shape } = parameter;
    const whole = name === IMAGE_NEWLINE ? name : prefix + name;
    tensors.push({ name: whole, shape, values: await exportedValues(parameter, lora) });
  }
  return tensors;
}

/** Values of a parameter in float32, with the adapter's update where it has one for this weight. */
export async function exportedValues(parameter: Parameter, lora: Lora | undefined): Promise<Float32Array> {
  const values = await parameter.floats();
  if (lora === undefined) return values;
  const weight = tf.tensor(values, [...parameter.shape]);
  const merged = lora.mergedWeight(parameter.name, weight);
  weight.dispose();
  if (merged === null) return values;
  const exported = await merged.data<"float32">();
  merged.dispose();
  return exported;
}

import { join } from "node:path";

import {
  BasicError,
  type BuiltInProjector,
  type Decoder,
  IMAGE_NEWLINE,
  type Lora,
  type Parameter,
  type Vit,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { growRows } from "./grow-rows.js";
import {
  type LlavaConfig,
  type ModelConfig,
  parseHuggingFaceConfig,
  writeDecoderConfig,
  writeLlavaConfig,
  writeVitConfig,
} from "./hf-config.js";
import { fuseProducts } from "./hf-fused.js";
import {
  languagePart,
  type Parameterised,
  type Part,
  planParts,
  projectorPart,
  visionPart,
} from "./hf-parts.js";
import { readJson, writeJson } from "./json-file.js";
import { tensorsOf } from "./parameter-tensors.js";
import type { LazyTensor } from "./safetensors-write.js";
import { type ShardOptions, writeShards } from "./shards.js";
import { WeightFolder } from "./weight-folder.js";
import { WeightReader, type WeightStorage } from "./weight-storage.js";

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

/** What a folder in Hugging Face layout holds. */
export type ModelKind = HuggingFaceModel["kind"];

/** Options of {@link loadHuggingFace}. */
export interface LoadOptions {
  /** Of a vision tower: which hidden state its features are. Default −2. A LLaVA's config says its own. */
  readonly layer?: number;
  /** How the matrices of the vision tower and the language model are kept. Default `f32`. Projectors are float32. */
  readonly storage?: WeightStorage;
}

/** Options of {@link loadHuggingFace} for folders that must hold some kinds of models. */
export interface LoadKindOptions<K extends ModelKind> extends LoadOptions {
  /** Another kind is refused before any weight is read. Default: all kinds. */
  readonly kinds?: readonly K[];
}

/**
 * Loads a folder with `config.json` and `model.safetensors` (or shards with an index): LLaVA, a language model,
 * or a vision tower. Names of the hub, of transformers 5 and of models in memory are understood.
 *
 * Memory: the model in its storage, and once more its largest tensor. What is missing or has another shape is found
 * before a value is read.
 *
 * @throws `BasicError` `E_CONFIG` for a config that we cannot follow, and another kind of model; `E_WEIGHTS_MISSING`;
 *   `E_WEIGHTS_FORMAT` for damaged files, other shapes, or weights that the model has no place for.
 */
export async function loadHuggingFace<K extends ModelKind = ModelKind>(
  folder: string,
  options: LoadKindOptions<K> = {},
): Promise<Extract<HuggingFaceModel, { kind: K }>> {
  const path = join(folder, "config.json");
  const parsed = parseHuggingFaceConfig(readJson(path), path);
  const { kinds } = options;
  if (kinds !== undefined && !(kinds as readonly ModelKind[]).includes(parsed.kind)) {
    throw new BasicError(
      "E_CONFIG",
      `${folder} holds a ${parsed.kind} model, expected a ${kinds.join(" or ")} model. Name another folder.`,
    );
  }
  const weights = new WeightFolder(folder);
  try {
    return build(parsed, weights, options) as Extract<HuggingFaceModel, { kind: K }>;
  } finally {
    weights.close();
  }
}

/**
 * {@link loadHuggingFace} for a folder that must hold LLaVA.
 *
 * @throws `BasicError` `E_CONFIG` when it holds something else.
 */
export async function loadLlava(
  folder: string,
  options: Pick<LoadOptions, "storage"> = {},
): Promise<LlavaModel> {
  return loadHuggingFace(folder, { ...options, kinds: ["llava"] });
}

function build(parsed: ModelConfig, weights: WeightFolder, options: LoadOptions): HuggingFaceModel {
  switch (parsed.kind) {
    case "vision": {
      const vision = visionPart(parsed.config, options);
      const read = prepare(weights, [vision], options);
      return { kind: "vision", vision: read(vision) };
    }
    case "language": {
      const language = languagePart(parsed.config);
      const read = prepare(weights, [language], options);
      return { kind: "language", language: read(language) };
    }
    case "llava":
      return buildLlava(parsed.config, weights, options);
  }
}

/** The model of a config, out of weights under any of LLaVA's names. */
export function buildLlava(
  config: LlavaConfig,
  weights: WeightFolder,
  options: LoadOptions = {},
): LlavaModel {
  const run = { layer: config.featureLayer, select: config.featureSelection };
  const vision = visionPart(config.vision, run, true);
  const projector = projectorPart(config);
  const language = languagePart(config.language, true);
  const read = prepare(weights, [vision, projector, language], options);
  return {
    kind: "llava",
    config,
    vision: read(vision),
    projector: read(projector),
    language: read(language),
  };
}

/** Checks that the folder has all parts. @returns What reads one of them. */
function prepare(
  weights: WeightFolder,
  parts: readonly Part<Parameterised>[],
  { storage = "f32" }: LoadOptions,
): <M extends Parameterised>(part: Part<M>) => M {
  const { wanted, largest } = planParts(parts);
  weights.check(
    wanted,
    parts.flatMap(({ spare }) => spare),
  );
  const reader = new WeightReader(weights, storage, largest);
  return ({ make, place, name }) => make(reader.source(place, name !== "projector"));
}

/** Options of {@link saveHuggingFace}. */
export interface SaveOptions extends Pick<ShardOptions, "dtype" | "maxShardSize"> {
  /** Adapters of the language model: their updates are added to what is written, the model stays as it is. */
  readonly lora?: Lora;
  /** Rows of table and head, where tokens were added: new ones are the mean of the others. Default: as many as there are. */
  readonly vocabularySize?: number;
}

/**
 * Writes the weights (in shards where they exceed `maxShardSize`) and `config.json` in the hub's layout, which
 * transformers and llama.cpp's converter read. One tensor at a time is read from the device. The weights are replaced as a
 * whole, see {@link writeShards}; other files of the folder stay.
 *
 * @throws `BasicError` `E_DISK_FULL`; `E_CONFIG` for a shard size that is none, or a `vocabularySize` below the rows.
 */
export async function saveHuggingFace(
  folder: string,
  model: HuggingFaceModel,
  { dtype = "F32", lora, vocabularySize, ...options }: SaveOptions = {},
): Promise<void> {
  const { tensors: own, config: plain } = exported(model, lora);
  const grows = vocabularySize !== undefined && model.kind !== "vision";
  if (grows) checkRows(vocabularySize, model.language.vocabularySize);
  const tensors = grows ? own.map((tensor) => growRows(tensor, vocabularySize)) : own;
  const config = grows ? withVocabulary(plain, vocabularySize) : plain;
  const torch = { F32: "float32", F16: "float16", BF16: "bfloat16" }[dtype];
  await writeShards(folder, tensors, { dtype, ...options });
  await writeJson(join(folder, "config.json"), { ...config, torch_dtype: torch });
}

function checkRows(asked: number, rows: number): void {
  if (Number.isSafeInteger(asked) && asked >= rows) return;
  throw new BasicError(
    "E_CONFIG",
    `saveHuggingFace: \`vocabularySize\` must be a whole number from ${rows}, the rows of the table, got ${asked}. ` +
      "Leave it out, or take tokens away with resizeVocabulary before.",
  );
}

function projectorTensor(name: string): string {
  return name === IMAGE_NEWLINE ? name : `multi_modal_projector.${name}`;
}

/** Of a language model's config, or of the one inside of LLaVA's. */
function withVocabulary(config: Readonly<Record<string, unknown>>, size: number): Record<string, unknown> {
  const text = config["text_config"];
  return typeof text === "object" && text !== null
    ? { ...config, text_config: { ...text, vocab_size: size } }
    : { ...config, vocab_size: size };
}

function exported(
  model: HuggingFaceModel,
  lora: Lora | undefined,
): { tensors: readonly LazyTensor[]; config: Record<string, unknown> } {
  switch (model.kind) {
    case "vision":
      return { tensors: tensorsOf(model.vision.parameters), config: writeVitConfig(model.vision.config) };
    case "language":
      return {
        tensors: languageTensors(model.language, "", lora),
        config: writeDecoderConfig(model.language.config),
      };
    case "llava":
      return {
        tensors: [
          ...languageTensors(model.language, "language_model.", lora),
          ...tensorsOf(model.projector.parameters, projectorTensor),
          ...tensorsOf(model.vision.parameters, (name) => `vision_tower.${name}`),
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

function languageTensors({ parameters, config }: Decoder, prefix: string, lora?: Lora): LazyTensor[] {
  const tensors = [...parameters].map((parameter) => ({
    name: prefix + parameter.name,
    shape: parameter.shape,
    values: () => exportedValues(parameter, lora),
  }));
  return config.fusedProducts ? fuseProducts(tensors) : tensors;
}

/** Values of a parameter in float32, with the adapter's update where it has one for this weight. */
export async function exportedValues(parameter: Parameter, lora: Lora | undefined): Promise<Float32Array> {
  const values = await parameter.floats();
  if (lora === undefined) return values;
  const weight = tf.tensor(values, [...parameter.shape]);
  const merged = lora.mergedWeight(parameter.name, weight);
  weight.dispose();
  if (merged === null) return values;
  const data = await merged.data<"float32">();
  merged.dispose();
  return data;
}

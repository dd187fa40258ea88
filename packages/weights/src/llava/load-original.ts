import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { BasicError, type VitConfig } from "@basic-mllm/core";

import { openSafetensors } from "../files.js";
import { type LlavaConfig, parseHuggingFaceConfig } from "../hf-config.js";
import { INDEX, noWeights, shardsOf, WHOLE } from "../hub/model-files.js";
import { buildLlava, type LlavaModel } from "../hugging-face.js";
import { readJson } from "../json-file.js";
import { describedProjector } from "../projector-description.js";
import { openTensors } from "../projector-file.js";
import type { TensorFile } from "../safetensors.js";
import { readTorchFile } from "../torch/torch-file.js";
import { openEach, WeightFolder } from "../weight-folder.js";
import { isOriginalLlava, type OriginalConfig, readOriginalConfig } from "./original-config.js";

/** What torch.save writes of a model, and its index. */
const TORCH_WHOLE = "pytorch_model.bin";
const TORCH_INDEX = "pytorch_model.bin.index.json";
/** A checkpoint that trained its encoder holds it. */
const OWN_TOWER = "model.vision_tower.";

/** An original LLaVA and what its config says beside the maths. */
export interface OriginalLlava {
  readonly model: LlavaModel;
  readonly config: OriginalConfig;
}

/**
 * Loads a checkpoint as LLaVA's own code writes it: `model.mm_projector.*` beside the language model, in safetensors or
 * `pytorch_model*.bin` files, which are read without running anything in them.
 *
 * @param vision - Folder of its encoder (CLIP or SigLIP in Hugging Face's layout). Its weights are taken from the checkpoint
 *   where that holds an encoder.
 * @throws `BasicError` `E_CONFIG` for a model that we cannot follow, `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`.
 */
export async function loadOriginalLlava(folder: string, vision: string): Promise<OriginalLlava> {
  const path = join(folder, "config.json");
  const json = readJson(path);
  if (!isOriginalLlava(json)) {
    throw new BasicError(
      "E_CONFIG",
      `${path} has no \`mm_vision_tower\`, which an original LLaVA has. Is it a folder of transformers? Those need no --vision.`,
    );
  }
  const config = readOriginalConfig(json, path, readVisionConfig(vision));
  const files = openFolderFiles(folder);
  const hasTower = files.some((file) => file.names.some((name) => name.startsWith(OWN_TOWER)));
  const all = hasTower ? files : openBeside(files, () => openFolderFiles(vision));
  return { model: buildAll(folder, all, () => config), config };
}

/** What {@link assembleLlava} puts together. */
export interface LlavaParts {
  /** LLaVA's mm_projector.bin, or a projector of ours in a safetensors file. */
  readonly projector: string;
  /** Folder of the encoder. */
  readonly vision: string;
  /** Folder of the language model. */
  readonly language: string;
  /** Which hidden state of the encoder the projector was trained on. Default −2, LLaVA's. */
  readonly layer?: number;
}

/**
 * Puts a LLaVA together from a projector's file and the models that it was trained between. A file of ours says which
 * projector it holds; of LLaVA's, the kind is read off the tensors: `linear` or `mlpNx_gelu`.
 *
 * @throws `BasicError` `E_CONFIG`, `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT` where the sizes of the three do not fit.
 */
export async function assembleLlava({
  projector,
  vision,
  language,
  layer = -2,
}: LlavaParts): Promise<LlavaModel> {
  const path = join(language, "config.json");
  const text = parseHuggingFaceConfig(readJson(path), path);
  if (text.kind !== "language") throw wrongKind(path, "language", text.kind);
  const visionConfig = readVisionConfig(vision);
  const files = openBeside([openTensors(projector)], () =>
    openBeside(openFolderFiles(vision), () => openFolderFiles(language)),
  );
  return buildAll(projector, files, () => ({
    vision: visionConfig,
    language: text.config,
    projector: projectorOf(files[0] as TensorFile),
    featureLayer: layer,
    featureSelection: "patch",
    imageTokenId: text.config.vocabularySize,
  }));
}

/** Closes the files whatever happens. */
function buildAll(location: string, files: readonly TensorFile[], configOf: () => LlavaConfig): LlavaModel {
  const weights = new WeightFolder(location, files);
  try {
    return buildLlava(configOf(), weights);
  } finally {
    weights.close();
  }
}

/** More files beside open ones, which are closed where that fails. */
function openBeside(files: readonly TensorFile[], open: () => readonly TensorFile[]): readonly TensorFile[] {
  try {
    return [...files, ...open()];
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
}

/** What a file of ours says of its projector, or what the tensors of LLaVA's tell. */
function projectorOf(file: TensorFile): LlavaConfig["projector"] {
  const { names, location: path } = file;
  const described = describedProjector(file);
  if (described !== null) return described;
  const products = names.filter((name) => /(^|\.)(mm_projector|multi_modal_projector)\..*weight$/.test(name));
  const bias = names.some((name) => /(^|\.)(mm_projector|multi_modal_projector)\..*bias$/.test(name));
  if (products.length === 0) {
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `${path} holds no projector: expected tensors such as model.mm_projector.0.weight, got ${names.slice(0, 4).join(", ") || "none"}. Name LLaVA's mm_projector.bin.`,
    );
  }
  const name = products.length === 1 ? "linear" : `mlp${products.length}x_gelu`;
  return { name, options: bias ? {} : { bias } };
}

function readVisionConfig(folder: string): VitConfig {
  const path = join(folder, "config.json");
  const parsed = parseHuggingFaceConfig(readJson(path), path);
  if (parsed.kind === "vision") return parsed.config;
  throw wrongKind(path, "vision", parsed.kind);
}

function wrongKind(path: string, expected: string, given: string): BasicError {
  return new BasicError(
    "E_CONFIG",
    `${path} describes a ${given} model, expected a ${expected} model. Name its folder.`,
  );
}

/** safetensors where there are some, else files of torch.save. */
function openFolderFiles(folder: string): readonly TensorFile[] {
  const has = (name: string): boolean => existsSync(join(folder, name));
  const shards = (index: string) => shardsOf(readJson(join(folder, index)), join(folder, index));
  const each = (names: readonly string[], open: (path: string) => TensorFile) =>
    openEach(names.map((name) => () => open(join(folder, name))));
  if (has(WHOLE)) return each([WHOLE], openSafetensors);
  if (has(INDEX)) return each(shards(INDEX), openSafetensors);
  if (has(TORCH_WHOLE)) return each([TORCH_WHOLE], readTorchFile);
  if (has(TORCH_INDEX)) return each(shards(TORCH_INDEX), readTorchFile);
  const found = existsSync(folder) ? readdirSync(folder).sort() : [];
  throw noWeights(folder, found, `${TORCH_WHOLE} or ${TORCH_INDEX} would do as well. Download one of them.`);
}

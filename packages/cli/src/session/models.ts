import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import {
  BasicError,
  createRandom,
  Decoder,
  encoders,
  type FeatureSource,
  type LanguageModel,
  languageModels,
  type Recipe,
  type VisionEncoder,
  type VlmRecipe,
} from "@basic-mllm/core";
import {
  createTokenizer,
  type ImageProcessor,
  parseImageProcessor,
  readTokenizerFiles,
  type TextTokenizer,
} from "@basic-mllm/data";
import { buildTokenizer, buildVocabulary } from "@basic-mllm/scenes";
import { tinyWeights } from "@basic-mllm/tiny";

import { isGguf, languageFromGguf, tokenizerFromGguf } from "./gguf-model.js";
import { encoderFromFolder, languageFromFolder } from "./parts.js";
import { openSprites } from "./scenes.js";
import type { PartSummary, TaskContext } from "./task.js";

type Component = { readonly name: string; readonly options: Readonly<Record<string, unknown>> };

/** Whether a component's name is a folder with weights. */
function isFolder({ name }: Component): boolean {
  return existsSync(join(name, "config.json"));
}

/**
 * The vision encoder that a recipe names: registered, or a folder.
 *
 * @throws `BasicError` `E_CONFIG` for a GGUF file, and for a folder with another kind of model.
 */
export async function openEncoder(
  component: Component,
  { seed, layer }: { readonly seed: number; readonly layer: number },
): Promise<VisionEncoder | FeatureSource> {
  const options = { layer, ...component.options };
  if (isGguf(component.name)) {
    throw new BasicError(
      "E_CONFIG",
      `model.vision is ${component.name}, but GGUF files are read as language models only. Name a registered encoder, or a Hugging Face folder.`,
    );
  }
  if (isFolder(component)) return encoderFromFolder(component.name, options);
  return encoders.get(component.name)({ random: createRandom(seed, "vision"), options });
}

/** The language model that a recipe names: registered, a folder, or a GGUF file. */
export async function openLanguage(
  component: Component,
  { seed, recompute = false }: { readonly seed: number; readonly recompute?: boolean | undefined },
): Promise<LanguageModel> {
  const model = await createLanguage(component, seed);
  if (!recompute) return model;
  if (!(model instanceof Decoder)) {
    throw new BasicError(
      "E_CONFIG",
      `model.recompute is true, but the language model "${component.name}" is not a decoder of ours, which could do that. ` +
        "Remove model.recompute, or use a Hugging Face folder.",
    );
  }
  model.recompute = true;
  return model;
}

async function createLanguage(component: Component, seed: number): Promise<LanguageModel> {
  if (isGguf(component.name)) return languageFromGguf(component);
  if (isFolder(component)) return languageFromFolder(component.name, component.options);
  const { name, options } = component;
  return languageModels.get(name)({ random: createRandom(seed, "language"), options });
}

/** A model from scratch takes its vocabulary from the tokenizer, unless its config says another. */
export function withVocabulary(component: Component, size: number): Component {
  const config = component.options["config"];
  if (typeof config !== "object" || config === null || "vocab_size" in config) return component;
  return { ...component, options: { ...component.options, config: { ...config, vocab_size: size } } };
}

/** Where the files of a named model lie, for its tokenizer and image processor. */
function filesOf(component: Component): string | undefined {
  if (component.name === "tiny-llama") return tinyWeights("language");
  if (component.name === "tiny-siglip") return tinyWeights("encoder");
  return isFolder(component) ? component.name : undefined;
}

/** The two files of a tokenizer, parsed: to use it, and to save it beside a model. */
export interface TokenizerSource {
  readonly tokenizer: TextTokenizer;
  readonly files: Readonly<Record<string, object>>;
}

/**
 * The tokenizer of a recipe: its own, or that of its language model.
 *
 * @throws `BasicError` `E_TOKENIZER` where there is none.
 */
export async function openTokenizer(
  context: TaskContext,
  own: Component | undefined,
  language?: Component,
): Promise<TokenizerSource> {
  if (own?.name === "scenes-words") {
    const sheet = await openSprites(context);
    const files = buildTokenizer(buildVocabulary(sheet.concepts));
    return {
      tokenizer: createTokenizer(files["tokenizer.json"], files["tokenizer_config.json"]),
      files: { ...files },
    };
  }
  const source = own ?? language;
  if (source !== undefined && isGguf(source.name)) return tokenizerFromGguf(source.name);
  const folder = own?.name ?? (language && filesOf(language));
  const path = folder === undefined ? undefined : tokenizerPath(folder);
  if (path === undefined) {
    throw new BasicError(
      "E_TOKENIZER",
      `There is no tokenizer for ${own?.name ?? language?.name ?? "the recipe"}. Name a folder with tokenizer.json in model.tokenizer.${relativeHint(folder)}`,
    );
  }
  const files = await readTokenizerFiles(path);
  return {
    tokenizer: createTokenizer(files["tokenizer.json"], files["tokenizer_config.json"]),
    files: { ...files },
  };
}

/** Where a relative path was looked for: recipes are often run from another folder than they were written for. */
function relativeHint(path: string | undefined): string {
  if (path === undefined || isAbsolute(path)) return "";
  return ` Relative paths of a recipe count from the current folder (here ${resolve(path)}), not from that of the recipe: run the command in the folder that they are written for, or make them absolute.`;
}

function tokenizerPath(folder: string): string | undefined {
  if (folder.endsWith(".json")) return folder;
  const path = join(folder, "tokenizer.json");
  return existsSync(path) ? path : undefined;
}

/**
 * How pictures become the encoder's input: preprocessor_config.json, else a square with SigLIP's mean and deviation;
 * and what the recipe says of pictures that are not square, and of their files.
 *
 * @throws `BasicError` `E_CONFIG` where neither says how large pictures must be, `E_RECIPE_INVALID` for sizes that are
 *   no whole tiles.
 */
export function openProcessor(
  { model, data }: Pick<VlmRecipe, "model" | "data">,
  encoder: { readonly imageSize?: number },
): ImageProcessor {
  const file = processorFile(model.vision, encoder);
  const { imageAspectRatio, imageGridPinpoints: gridPinpoints } = model;
  checkPinpoints(parseImageProcessor(file, { imageAspectRatio: "square" }), model);
  const processor = parseImageProcessor(file, {
    ...(imageAspectRatio && { imageAspectRatio }),
    ...(gridPinpoints && { gridPinpoints }),
  });
  return { ...processor, ...(data.decode && { decode: data.decode }) };
}

/** Sizes to cut pictures into need a processor that cuts, and whole tiles. */
function checkPinpoints({ resize, crop }: ImageProcessor, model: VlmRecipe["model"]): void {
  const { imageAspectRatio, imageGridPinpoints: pinpoints } = model;
  if (pinpoints === undefined) return;
  if (imageAspectRatio !== "anyres") {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `model.imageGridPinpoints are sizes of pictures that are cut into tiles, but model.imageAspectRatio is ${imageAspectRatio ?? "absent"}. ` +
        'Set it to "anyres", or remove the sizes.',
    );
  }
  const side = crop?.height ?? (resize !== null && "height" in resize ? resize.height : resize?.shortestEdge);
  const wrong = pinpoints.find((size) => size.some((length) => length % (side ?? 1) !== 0));
  if (wrong === undefined) return;
  throw new BasicError(
    "E_RECIPE_INVALID",
    `model.imageGridPinpoints must be multiples of the encoder's ${side} pixels, got [${wrong.join(", ")}]. ` +
      "Correct it, or leave imageGridPinpoints out for LLaVA-1.6's.",
  );
}

/** The content of preprocessor_config.json, or what it would be. */
function processorFile(component: Component, { imageSize }: { readonly imageSize?: number }): object {
  const folder = filesOf(component);
  const path = folder === undefined ? undefined : join(folder, "preprocessor_config.json");
  if (path !== undefined && existsSync(path)) return readJson(path);
  if (imageSize !== undefined && Number.isInteger(imageSize) && imageSize > 0) {
    return {
      image_processor_type: "SiglipImageProcessor",
      size: { height: imageSize, width: imageSize },
    };
  }
  throw new BasicError(
    "E_CONFIG",
    `The vision encoder "${component.name}" does not say how large its pictures are: expected \`imageSize\`, ` +
      `a whole number of pixels above 0, got ${imageSize ?? "nothing"}. ` +
      "Add imageSize to what its defineEncoder returns (docs/writing-an-encoder.md).",
  );
}

function readJson(path: string): object {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as object;
  } catch (cause) {
    throw new BasicError("E_CONFIG", `${path} is not JSON. Download it again.`, { cause });
  }
}

/** Sum of parameters of each group and their memory, for the table at the start. */
export function summarise(
  groups: Readonly<Record<string, { readonly size: number; readonly bytes: number }>>,
): readonly PartSummary[] {
  return Object.entries(groups).map(([name, { size, bytes }]) => ({ name, parameters: size, bytes }));
}

/** @throws `BasicError` `E_RECIPE_INVALID` where a recipe needs a builder and has none, or another. */
export function requireBuilder(recipe: Recipe, name: string): void {
  if (recipe.data.builder?.name === name) return;
  throw new BasicError(
    "E_RECIPE_INVALID",
    `Recipe "${recipe.name}" has the data builder "${recipe.data.builder?.name ?? "none"}", expected "${name}".`,
  );
}

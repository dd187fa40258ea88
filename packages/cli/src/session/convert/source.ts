import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { BasicError, type Decoder, RECIPE_FILE, type Recipe } from "@basic-mllm/core";
import {
  type ImageProcessor,
  type ProcessorOptions,
  parseImageProcessor,
  readTokenizerFiles,
  type TokenizerFiles,
} from "@basic-mllm/data";
import {
  assembleLlava,
  isOriginalLlava,
  type LlavaModel,
  loadHuggingFace,
  loadOriginalLlava,
} from "@basic-mllm/weights";

import type { Terminal } from "../../terminal.js";
import { withLocalFiles } from "../downloads.js";
import { isGguf, languageFromGguf, tokenizerFromGguf } from "../gguf-model.js";
import { readRunJson } from "../json-file.js";
import { openProcessor } from "../models.js";
import { readRunRecipe } from "../open-run.js";
import { holdsParts } from "../vlm-save.js";

/** Folders that FROM does not hold itself. */
export interface SourceOptions {
  /** Of the vision encoder. */
  readonly vision?: string | undefined;
  /** Of the language model. */
  readonly language?: string | undefined;
  /** Of tokenizer.json. */
  readonly tokenizer?: string | undefined;
  readonly terminal: Terminal;
}

/** A model to convert, and what lies beside it. */
export interface ConvertSource {
  readonly model: LlavaModel | { readonly kind: "language"; readonly language: Decoder };
  /** For names of files. */
  readonly name: string;
  /** Null where there is none. */
  readonly tokenizer: TokenizerFiles | null;
  /** How pictures become the encoder's input; null where no file says. */
  readonly processor: ImageProcessor | null;
  /** Of the last stage that a run trained; null: the tokenizer's own. */
  readonly template: string | null;
}

/**
 * Opens what is to be converted: a run, a folder in Hugging Face's layout, an original LLaVA checkpoint, the file of a
 * projector, or a GGUF file with a language model.
 *
 * @throws `BasicError` `E_USAGE` where it is none of these or needs another folder, and what loading throws.
 */
export async function openSource(from: string, options: SourceOptions): Promise<ConvertSource> {
  if (!existsSync(from)) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm convert: there is no ${from}. Give a run, the folder of a model, a projector's file or a GGUF file; relative paths count from ${process.cwd()}.`,
    );
  }
  const name = basename(resolve(from));
  if (!statSync(from).isDirectory()) return openFile(from, name.replace(/\.\w+$/, ""), options);
  if (existsSync(join(from, RECIPE_FILE))) return openRun(from, options);
  return openFolder(from, { ...options, name, recipe: null });
}

async function openFile(from: string, name: string, options: SourceOptions): Promise<ConvertSource> {
  if (isGguf(from)) {
    const language = await languageFromGguf({ name: from, options: {} });
    const given = options.tokenizer;
    return {
      model: { kind: "language", language },
      name,
      tokenizer:
        given === undefined ? (await tokenizerFromGguf(from)).files : await readTokenizerFiles(given),
      processor: null,
      template: null,
    };
  }
  const { vision, language } = options;
  if (vision === undefined || language === undefined) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm convert: ${from} is taken for the file of a projector, which needs --vision and --language: the folders of the encoder and of the language model that it was trained between.`,
    );
  }
  return {
    model: await assembleLlava({ projector: from, vision, language }),
    name,
    tokenizer: await tokenizerOf(language, options),
    processor: await processorIn(vision),
    template: null,
  };
}

async function openRun(from: string, options: SourceOptions): Promise<ConvertSource> {
  const recipe = await readRunRecipe(from);
  const folder = join(from, "model");
  if (existsSync(join(folder, "config.json")))
    return openFolder(folder, { ...options, name: recipe.name, recipe });
  throw holdsParts(folder)
    ? new BasicError(
        "E_CONFIG",
        `basic-mllm convert: ${folder} holds each part by itself, because one of them is not ours: there is no format of others for it. Train with parts of ours to convert the model.`,
      )
    : new BasicError(
        "E_CHECKPOINT_MISSING",
        `basic-mllm convert: the run in ${from} has no finished model: expected ${folder}. Resume it until it ends.`,
      );
}

interface FolderOptions extends SourceOptions {
  readonly name: string;
  readonly recipe: Recipe | null;
}

async function openFolder(from: string, options: FolderOptions): Promise<ConvertSource> {
  const { name, recipe, terminal } = options;
  const tokenizer = await tokenizerOf(from, options);
  const template = recipe?.task === "vlm" ? (Object.values(recipe.stages).at(-1)?.template ?? null) : null;
  if (isOriginalLlava((await readConfig(from)) ?? {})) {
    return { ...(await openOriginal(from, options)), name, tokenizer, template };
  }
  const model = await loadHuggingFace(from);
  if (model.kind === "vision") {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm convert: ${from} holds a vision encoder alone, which has nothing to convert. Give a LLaVA or a language model.`,
    );
  }
  const own = (await processorIn(from)) ?? (await processorIn(options.vision, cutOf(model)));
  const processor = own ?? (await trainedProcessor(recipe, { model, terminal }));
  return { model, name, tokenizer, processor, template };
}

/** Without the encoder's folder its sizes are not known. */
async function openOriginal(from: string, { vision }: SourceOptions) {
  if (vision === undefined) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm convert: ${from} is an original LLaVA checkpoint, which names its encoder and does not say its sizes. Give --vision, the folder of the encoder (config.json, preprocessor_config.json and weights).`,
    );
  }
  const { model, config } = await loadOriginalLlava(from, vision);
  const processor = await processorIn(vision, { imageAspectRatio: config.imageAspectRatio });
  return { model, processor };
}

async function readConfig(folder: string): Promise<object | null> {
  const path = join(folder, "config.json");
  const config = existsSync(path) ? await readRunJson(path, "Download it again.") : null;
  return typeof config === "object" ? config : null;
}

/** The one that is given, which must be there, or that of a model's folder. */
async function tokenizerOf(
  folder: string,
  { tokenizer }: Pick<SourceOptions, "tokenizer">,
): Promise<TokenizerFiles | null> {
  if (tokenizer !== undefined) return readTokenizerFiles(tokenizer);
  return existsSync(join(folder, "tokenizer.json")) ? readTokenizerFiles(folder) : null;
}

/** How a model cuts pictures, which the encoder's own file does not say. */
function cutOf(model: ConvertSource["model"]): ProcessorOptions {
  if (model.kind !== "llava" || model.config.gridPinpoints === undefined) return {};
  return { imageAspectRatio: "anyres", gridPinpoints: model.config.gridPinpoints };
}

async function processorIn(
  folder: string | undefined,
  options: ProcessorOptions = {},
): Promise<ImageProcessor | null> {
  if (folder === undefined) return null;
  const path = join(folder, "preprocessor_config.json");
  if (!existsSync(path)) return null;
  const config = await readRunJson(path, "Download it again.");
  return parseImageProcessor(config, options);
}

/** Of the encoder that a recipe names, for runs from before it was saved. */
async function trainedProcessor(
  recipe: Recipe | null,
  { model, terminal }: { readonly model: ConvertSource["model"]; readonly terminal: Terminal },
): Promise<ImageProcessor | null> {
  if (recipe?.task !== "vlm" || model.kind !== "llava") return null;
  const { vision } = await withLocalFiles(recipe.model, { terminal });
  return openProcessor({ ...recipe, model: { ...recipe.model, vision } }, model.vision);
}

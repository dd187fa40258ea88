import {
  createDecoder,
  createVit,
  type Decoder,
  type DecoderConfig,
  type Vit,
  type VitConfig,
} from "@basic-mllm/core";
import { createTokenizer, type TextTokenizer } from "@basic-mllm/data";
import encoderConfig from "@basic-mllm/tiny/weights/encoder/config.json";
import encoderFile from "@basic-mllm/tiny/weights/encoder/model.safetensors?url";
import languageConfig from "@basic-mllm/tiny/weights/language/config.json";
import languageFile from "@basic-mllm/tiny/weights/language/model.safetensors?url";
import tokenizerFile from "@basic-mllm/tiny/weights/language/tokenizer.json";
import tokenizerConfig from "@basic-mllm/tiny/weights/language/tokenizer_config.json";
import { parseHuggingFaceConfig, Safetensors } from "@basic-mllm/weights";

import { fetchBytes } from "./fetch-bytes.js";

/** The encoder and the language model that the page ships with. */
export interface TinyModels {
  readonly encoder: Vit;
  readonly language: Decoder;
}

/** Reads both models onto the current backend. @param layer - Hidden state that features are taken from. */
export async function loadModels(layer: number): Promise<TinyModels> {
  const [vision, text] = await Promise.all([encoderFile, languageFile].map(openWeights));
  const encoder = createVit(visionConfig(), { layer, values: valuesIn(vision) });
  const language = createDecoder(decoderConfig(), { values: valuesIn(text) });
  return { encoder, language };
}

export function openTokenizer(): TextTokenizer {
  return createTokenizer(tokenizerFile, tokenizerConfig);
}

async function openWeights(url: string): Promise<Safetensors> {
  return new Safetensors(await fetchBytes(url));
}

function valuesIn(file: Safetensors | undefined): (name: string) => Float32Array {
  return (name) => {
    if (file === undefined) throw new Error(`no file holds ${name}`);
    return file.floats(name);
  };
}

function visionConfig(): VitConfig {
  const parsed = parseHuggingFaceConfig(encoderConfig, "config.json of the encoder");
  if (parsed.kind === "vision") return parsed.config;
  throw new Error(`the encoder's config.json describes a ${parsed.kind} model`);
}

function decoderConfig(): DecoderConfig {
  const parsed = parseHuggingFaceConfig(languageConfig, "config.json of the language model");
  if (parsed.kind === "language") return parsed.config;
  throw new Error(`the language model's config.json describes a ${parsed.kind} model`);
}

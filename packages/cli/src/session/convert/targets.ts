import { readdirSync } from "node:fs";
import { join } from "node:path";
import { BasicError } from "@basic-mllm/core";
import {
  addSpecialTokens,
  answerEndToken,
  chatTemplateOf,
  checkVocabulary,
  createTokenizer,
  describeImageProcessor,
  findTemplate,
  type ImageProcessor,
  type TextTokenizer,
  type TokenizerFiles,
} from "@basic-mllm/data";
import {
  decoderContents,
  PROJECTOR_FILE,
  projectorContents,
  saveForTransformers,
  saveHuggingFace,
  saveProjector,
  tokenizerFields,
  type WrittenType,
  writeGguf,
} from "@basic-mllm/weights";

import { writeJson } from "../json-file.js";
import type { ConvertSource } from "./source.js";

/** What {@link TARGETS} write. */
export interface TargetOptions {
  /** Folder. */
  readonly out: string;
  readonly dtype: WrittenType;
}

/** A layout to convert to. */
interface Target {
  readonly dtypes: readonly [WrittenType, ...WrittenType[]];
  /** @returns Names of the main files that it wrote. */
  readonly write: (source: ConvertSource, options: TargetOptions) => Promise<readonly string[]>;
  /** Where the other program is known to compute something else than the model that is written. */
  readonly caveats?: (source: ConvertSource) => readonly string[];
}

/** Layouts by the name of `--to`; the first type is the default. */
export const TARGETS: Readonly<Record<"hf" | "gguf" | "basic", Target>> = {
  hf: { dtypes: ["F32", "F16", "BF16"], write: writeTransformers },
  gguf: { dtypes: ["F16", "F32", "BF16", "Q8_0"], write: writeLlamaCpp, caveats: llamaCppCaveats },
  basic: { dtypes: ["F32", "F16", "BF16"], write: writeBasic },
};

/** What llama.cpp's multimodal tools put where an image goes. */
const MARKER = "<__media__>";
/** LLaVA's name for the image token. */
const IMAGE_TOKEN = "<image>";

async function writeTransformers(source: ConvertSource, { out, dtype }: TargetOptions) {
  const { model, template } = source;
  if (model.kind === "language") return writeLanguage(source, { out, dtype });
  const { tokenizer, files } = requireTokenizer(source);
  const own = tokenizer.special.image;
  const image = own === null ? IMAGE_TOKEN : (tokenizer.token(own) ?? IMAGE_TOKEN);
  const extended = addSpecialTokens(files, { image });
  const id = extended.ids[image] ?? extended.rows - 1;
  const { bos, pad } = tokenizer.special;
  await saveForTransformers(out, model, {
    dtype: floatType(dtype),
    tokenizer: extended.files,
    imageToken: { id, content: image },
    special: { bos, pad, eos: endOf(template, tokenizer) },
    processor: describeImageProcessor(requireProcessor(source)),
    chatTemplate: chatTemplate(source, tokenizer, "parts", image),
  });
  return modelFiles(out);
}

async function writeLlamaCpp(source: ConvertSource, { out, dtype }: TargetOptions) {
  const { model, name, template } = source;
  const { tokenizer, files } = requireTokenizer(source);
  const { language } = model;
  checkVocabulary(tokenizer, language.vocabularySize, name);
  const end = endOf(template, tokenizer);
  const fields = tokenizerFields(
    {
      tokenizer: files["tokenizer.json"] as Record<string, unknown>,
      config: files["tokenizer_config.json"] as Record<string, unknown>,
    },
    {
      rows: language.vocabularySize,
      addsBegin: tokenizer.addsBegin,
      chatTemplate: chatTemplate(source, tokenizer, "text", MARKER),
      ...(end !== null && { endOfTurn: end }),
    },
  );
  const text = decoderContents(language, { type: dtype, name, tokenizer: fields });
  const whole = `${name}-${dtype.toLowerCase()}.gguf`;
  if (model.kind === "language") {
    await writeGguf(join(out, whole), text);
    return [whole];
  }
  const type = dtype === "Q8_0" ? "F16" : dtype;
  const { mean, std } = requireProcessor(source);
  const seen = projectorContents(model, { type, name, mean, std });
  const projector = `mmproj-${name}-${type.toLowerCase()}.gguf`;
  await writeGguf(join(out, whole), text);
  await writeGguf(join(out, projector), seen);
  return [whole, projector];
}

function llamaCppCaveats({ model }: ConvertSource): readonly string[] {
  const { fusedProducts, windows, positions } = model.language.config;
  const hasWindows = fusedProducts && windows.some((window) => window > 0 && window < positions);
  const hasClassToken = model.kind === "llava" && model.vision.config.classToken;
  return [
    ...(hasClassToken
      ? [
          "llama.cpp (seen in llama-cpp-python 0.3.36) puts CLIP's class token behind the patches: the first patch is lost and the others " +
            "have their neighbours' positions, so that features differ from the trained ones (llama.cpp issue 25814, docs/convert.md).",
        ]
      : []),
    ...(hasWindows
      ? [
          `llama.cpp does not follow the window of a phi3, ${Math.max(...windows)} tokens: longer texts give other logits than the trained ones (docs/convert.md).`,
        ]
      : []),
  ];
}

async function writeBasic(source: ConvertSource, { out, dtype }: TargetOptions) {
  const { model, tokenizer, processor } = source;
  if (model.kind === "language") return writeLanguage(source, { out, dtype });
  const found =
    tokenizer === null
      ? null
      : createTokenizer(tokenizer["tokenizer.json"], tokenizer["tokenizer_config.json"]);
  const imageTokenId = found?.special.image ?? model.config.imageTokenId;
  const config = { ...model.config, imageTokenId };
  await saveHuggingFace(out, { ...model, config }, { dtype: floatType(dtype) });
  await saveProjector(join(out, PROJECTOR_FILE), model.projector);
  for (const [name, content] of Object.entries(tokenizer ?? {})) await writeJson(join(out, name), content);
  if (processor !== null) {
    await writeJson(join(out, "preprocessor_config.json"), describeImageProcessor(processor));
  }
  return [...modelFiles(out), PROJECTOR_FILE];
}

async function writeLanguage({ model, tokenizer }: ConvertSource, { out, dtype }: TargetOptions) {
  const { language } = model;
  await saveHuggingFace(out, { kind: "language", language }, { dtype: floatType(dtype) });
  for (const [name, content] of Object.entries(tokenizer ?? {})) await writeJson(join(out, name), content);
  return modelFiles(out);
}

/** Names of a saved model's config and weights, which lie in several files where they are large. */
export function modelFiles(folder: string): readonly string[] {
  const isWeights = (name: string) => /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name);
  return ["config.json", ...readdirSync(folder).filter(isWeights).sort()];
}

/** The dtypes of folders have no blocks. */
function floatType(dtype: WrittenType): Exclude<WrittenType, "Q8_0"> {
  if (dtype !== "Q8_0") return dtype;
  throw new BasicError("E_USAGE", "basic-mllm convert: Q8_0 is a type of GGUF files. Use F16 or BF16.");
}

function requireTokenizer({ tokenizer: files }: ConvertSource): {
  readonly tokenizer: TextTokenizer;
  readonly files: TokenizerFiles;
} {
  if (files !== null) {
    return { files, tokenizer: createTokenizer(files["tokenizer.json"], files["tokenizer_config.json"]) };
  }
  throw new BasicError(
    "E_TOKENIZER",
    "basic-mllm convert: the model has no tokenizer.json, which other programs need. Give --tokenizer, a folder with the one that it was trained with.",
  );
}

function requireProcessor({ processor }: ConvertSource): ImageProcessor {
  if (processor !== null) return processor;
  throw new BasicError(
    "E_CONFIG",
    "basic-mllm convert: nothing says how pictures become the encoder's input: there is no preprocessor_config.json beside the model. Put the encoder's there, or give --vision, a folder that has it.",
  );
}

/** The token at which an answer ends. */
function endOf(template: string | null, tokenizer: TextTokenizer): number | null {
  return template === null
    ? tokenizer.special.eos
    : answerEndToken(findTemplate(template, tokenizer), tokenizer);
}

/** Jinja: of the template that was trained, else the tokenizer's own; null where there is none. */
function chatTemplate(
  { template }: ConvertSource,
  { chatTemplates }: TextTokenizer,
  form: "parts" | "text",
  image: string,
): string | null {
  if (template !== null && !template.startsWith("model")) return chatTemplateOf(template, form, image);
  return chatTemplates[template?.split(":")[1] ?? "default"] ?? null;
}

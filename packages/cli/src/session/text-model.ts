import { join } from "node:path";
import { BasicError, type Decoder } from "@basic-mllm/core";
import { createTokenizer, findTemplate, readTokenizerFiles } from "@basic-mllm/data";
import type { Speaker } from "@basic-mllm/evaluate";
import { loadGguf, loadHuggingFace } from "@basic-mllm/weights";

import { isGguf, requireGguf } from "./gguf-model.js";

/** A model that answers without a picture. */
export interface TextModel extends Omit<Speaker, "picture"> {
  dispose(): void;
}

/**
 * Opens a language model to talk with: a GGUF file, whose matrices stay as they are stored, or a Hugging Face folder, of
 * which a LLaVA model gives its language part.
 *
 * @param template - Name of the chat template; default: the model's own.
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`, `E_CONFIG`, `E_TOKENIZER`; `E_NAME_UNKNOWN` without a
 *   template.
 */
export async function openTextModel(path: string, template = "model"): Promise<TextModel> {
  const { language, files } = isGguf(path) ? await openFile(path) : await openFolder(path);
  try {
    const tokenizer = createTokenizer(files.tokenizer, files.config);
    return {
      language,
      tokenizer,
      template: findTemplate(template, tokenizer),
      dispose: () => language.parameters.dispose(),
    };
  } catch (error) {
    language.parameters.dispose();
    throw error;
  }
}

interface Opened {
  readonly language: Decoder;
  readonly files: { readonly tokenizer: object; readonly config: object };
}

async function openFile(path: string): Promise<Opened> {
  requireGguf(path);
  const { language, tokenizer } = await loadGguf(path, { storage: "file", table: "file" });
  if (tokenizer !== null) return { language, files: tokenizer };
  language.parameters.dispose();
  throw new BasicError(
    "E_TOKENIZER",
    `${path} holds no tokenizer, so it cannot be talked with. Use a file that has its tokenizer in it.`,
  );
}

async function openFolder(path: string): Promise<Opened> {
  const read = await readTokenizerFiles(join(path, "tokenizer.json"));
  const files = { tokenizer: read["tokenizer.json"], config: read["tokenizer_config.json"] };
  const model = await loadHuggingFace(path, { kinds: ["language", "llava"] });
  if (model.kind === "llava") {
    model.vision.parameters.dispose();
    model.projector.parameters.dispose();
  }
  return { language: model.language, files };
}

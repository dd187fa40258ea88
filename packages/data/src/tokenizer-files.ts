import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { createTokenizer, type TextTokenizer } from "./tokenizer.js";
import type { JsonObject } from "./tokenizer-exact.js";
import { foldTokenizerFiles, type TokenizerFiles } from "./tokenizer-fold.js";

const SIDE_FILES = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] as const;

/**
 * The files of a model folder's tokenizer, folded into two: what the side files say about special tokens, added
 * tokens and the chat template is then in `tokenizer.json` and `tokenizer_config.json`.
 *
 * @param path - The folder, or the file that takes the place of `tokenizer.json`.
 * @throws `BasicError` `E_TOKENIZER` when `tokenizer.json` is missing, a file is damaged, or files disagree.
 */
export async function readTokenizerFiles(path: string): Promise<TokenizerFiles> {
  const file = path.endsWith(".json") ? path : join(path, "tokenizer.json");
  const folder = dirname(file);
  const text = await readOptional(file);
  if (text === undefined) {
    throw new BasicError(
      "E_TOKENIZER",
      `tokenizer: expected the file ${file}, and it cannot be read. Give the folder of a model with a fast tokenizer.`,
    );
  }
  const side: Record<string, unknown> = {};
  for (const name of SIDE_FILES) {
    const content = await readOptional(join(folder, name));
    if (content !== undefined) side[name] = parse(content, join(folder, name));
  }
  const jinja = await readOptional(join(folder, "chat_template.jinja"));
  const json = await readOptional(join(folder, "chat_template.json"));
  const chatTemplate =
    jinja ??
    (json === undefined ? undefined : parse(json, join(folder, "chat_template.json"))["chat_template"]);
  return foldTokenizerFiles({ "tokenizer.json": parse(text, file), ...side }, chatTemplate);
}

/**
 * Opens the tokenizer of a model folder: `tokenizer.json` and the files beside it that there are.
 *
 * @throws `BasicError` `E_TOKENIZER` when the file is missing or not a tokenizer.
 */
export async function readTokenizer(folder: string): Promise<TextTokenizer> {
  const files = await readTokenizerFiles(folder);
  return createTokenizer(files["tokenizer.json"], files["tokenizer_config.json"]);
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new BasicError(
      "E_TOKENIZER",
      `tokenizer: ${file} cannot be read: ${(cause as Error).message}. Check its permissions.`,
      { cause },
    );
  }
}

function parse(text: string, file: string): JsonObject {
  const damaged = (problem: string, cause?: unknown) =>
    new BasicError("E_TOKENIZER", `tokenizer: ${file} ${problem}. Download it again.`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged("is not valid JSON", cause);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw damaged("must hold a JSON object");
}

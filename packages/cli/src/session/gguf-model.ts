import { existsSync } from "node:fs";
import { basename, isAbsolute, resolve } from "node:path";
import { BasicError, type Decoder, explainIssues } from "@basic-mllm/core";
import { createTokenizer, type TokenizerFiles } from "@basic-mllm/data";
import { SMOLLM2_FILE } from "@basic-mllm/recipes";
import { ggufStorages, loadGguf, openGguf, readGgufTokenizer } from "@basic-mllm/weights";
import { z } from "zod";

import type { TokenizerSource } from "./models.js";

/** Options of a language model in a GGUF file. */
const schema = z.strictObject({ storage: z.enum(ggufStorages).default("f32") });

/** Whether a part's name is that of a GGUF file. */
export function isGguf(name: string): boolean {
  return name.toLowerCase().endsWith(".gguf");
}

/**
 * The language model of a GGUF file. `options.storage`: how its matrices are kept (`GgufStorage`, default `f32`); only
 * float32 ones can train, adapters beside them always.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`, `E_RECIPE_INVALID` for other options.
 */
export async function languageFromGguf(component: {
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}): Promise<Decoder> {
  const { name, options } = component;
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `Options of the GGUF file ${name} are not valid.\n${explainIssues(parsed.error, options)}\nKnown: storage (${ggufStorages.join(", ")}).`,
    );
  }
  requireGguf(name);
  const { language } = await loadGguf(name, parsed.data);
  return language;
}

/**
 * The tokenizer of a GGUF file; the weights are not read.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`; `E_TOKENIZER` where the file has none.
 */
export async function tokenizerFromGguf(
  path: string,
): Promise<TokenizerSource & { readonly files: TokenizerFiles }> {
  requireGguf(path);
  const file = await openGguf(path);
  try {
    const found = readGgufTokenizer(file);
    if (found === null) {
      throw new BasicError(
        "E_TOKENIZER",
        `${path} holds no tokenizer. Name a folder with tokenizer.json in model.tokenizer.`,
      );
    }
    return {
      tokenizer: createTokenizer(found.tokenizer, found.config),
      files: { "tokenizer.json": found.tokenizer, "tokenizer_config.json": found.config },
    };
  } finally {
    file.close();
  }
}

/** @throws `BasicError` `E_WEIGHTS_MISSING` where there is no such file. */
export function requireGguf(path: string): void {
  const missing = missingGguf(path);
  if (missing !== null) throw new BasicError("E_WEIGHTS_MISSING", missing);
}

/** What to say, and how to get the file, where there is no such file; null where there is. */
export function missingGguf(path: string): string | null {
  if (existsSync(path)) return null;
  const place = isAbsolute(path)
    ? ""
    : ` Relative paths count from the current folder (here ${resolve(path)}).`;
  const remedy =
    basename(path) === SMOLLM2_FILE
      ? "Run `node scripts/fetch-gguf.mjs` in a clone of the repository, which puts it into .cache/gguf, or name your own copy with --set model.language.name=PATH."
      : "Check the path.";
  return `There is no GGUF file ${path}.${place} ${remedy}`;
}

import { fileURLToPath } from "node:url";

/** Which of the shipped models. */
export type TinyPart = "encoder" | "language";

/**
 * Folder of a shipped model in the Hugging Face layout: config.json, model.safetensors (bf16), provenance.json; the
 * language model's also has tokenizer.json, the encoder's preprocessor_config.json.
 */
export function tinyWeights(part: TinyPart): string {
  return fileURLToPath(new URL(`../weights/${part}`, import.meta.url));
}

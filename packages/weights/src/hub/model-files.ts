import { BasicError } from "@basic-mllm/core";

/** The index of a checkpoint in several files. */
export const INDEX = "model.safetensors.index.json";
export const WHOLE = "model.safetensors";

/** Beside the weights: what says how to use them. */
export const companions: readonly string[] = [
  "config.json",
  "generation_config.json",
  "preprocessor_config.json",
  "processor_config.json",
  "chat_template.jinja",
  "chat_template.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "tokenizer.model",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
];

/**
 * The files of shards that an index names.
 *
 * @param index - The parsed `model.safetensors.index.json`.
 * @throws `BasicError` `E_WEIGHTS_FORMAT` where it names none, or a file outside of its folder.
 */
export function shardsOf(index: unknown, where: string): readonly string[] {
  const { weight_map: map } = (index ?? {}) as { weight_map?: unknown };
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new BasicError("E_WEIGHTS_FORMAT", `${where} has no object \`weight_map\`. Download it again.`);
  }
  const names = [...new Set(Object.values(map))];
  if (!names.every(isPlainName)) {
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `${where}: \`weight_map\` must hold file names without folders.`,
    );
  }
  return names;
}

/** Whether a file of that name lies in the folder itself, on every system. */
function isPlainName(name: unknown): name is string {
  return typeof name === "string" && name !== "" && name.length <= 255 && !/^\.|[\\/:\0]/.test(name);
}

/** `E_WEIGHTS_MISSING`, listing what there is instead. */
export function noWeights(
  where: string,
  found: readonly string[],
  advice = "Other formats (pytorch_model.bin) must be converted first.",
): BasicError {
  const list = found.slice(0, 20).join(", ") + (found.length > 20 ? ", ..." : "");
  return new BasicError(
    "E_WEIGHTS_MISSING",
    `${where} holds neither ${WHOLE} nor ${INDEX}. Found: ${list || "nothing"}. ${advice}`,
  );
}

import { BasicError, type Recipe, requireEqualShares } from "@basic-mllm/core";

/**
 * The GPUs of `--devices`: `0,1`.
 *
 * @returns none where the option was not given.
 * @throws `BasicError` `E_USAGE` where it is no list of GPUs, or the backend is not cuda; `E_CONFIG` where they cannot share a
 *   step of the recipe.
 */
export function chooseDevices(text: string | undefined, recipe: Recipe): readonly number[] {
  if (text === undefined) return [];
  const devices = text.split(",").map((word) => (/^\d+$/.test(word.trim()) ? Number(word) : -1));
  if (devices.includes(-1) || new Set(devices).size < devices.length) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm train: --devices is a list of GPUs as \`nvidia-smi -L\` numbers them, each once, got "${text}". Write for example 0,1.`,
    );
  }
  if (recipe.backend !== "cuda") {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm train: --devices chooses GPUs of the backend cuda, and the recipe trains on ${recipe.backend}. Add --backend cuda, or leave it out.`,
    );
  }
  for (const [name, stage] of Object.entries(recipe.stages)) {
    requireEqualShares(name, stage, devices.length);
  }
  return devices;
}

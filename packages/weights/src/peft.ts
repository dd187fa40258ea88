import { join } from "node:path";

import { type AdaptableModel, attachLora, BasicError, formatShape, type Lora } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { openSafetensors, writeSafetensors } from "./files.js";
import { readJson, writeJson } from "./json-file.js";
import { tensorsOf } from "./parameter-tensors.js";
import { type PeftConfig, readPeftConfig, writePeftConfig } from "./peft-config.js";
import type { Safetensors } from "./safetensors.js";

const CONFIG_FILE = "adapter_config.json";
const TENSOR_FILE = "adapter_model.safetensors";
const PREFIX = "base_model.model.";
const tensorPattern = /^base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight$/;

/** Options of {@link loadPeft}. */
export interface LoadPeftOptions {
  /** Of dropout, where training goes on. Default 0. */
  readonly seed?: number;
  /** Dropout where training goes on. Default: that of the file. */
  readonly dropout?: number;
}

/**
 * Puts a LoRA that PEFT has saved (adapter_config.json, adapter_model.safetensors) on the products of a model. Names of
 * a language model alone and of one inside a LLaVA are understood.
 *
 * @throws `BasicError` `E_CONFIG` for settings that we cannot follow, `E_WEIGHTS_MISSING` for an absent file or tensor,
 *   `E_WEIGHTS_FORMAT` for tensors that the model has no place for, or of other shapes.
 */
export function loadPeft(folder: string, model: AdaptableModel, options: LoadPeftOptions = {}): Lora {
  const config = readPeftConfig(readJson(join(folder, CONFIG_FILE)), join(folder, CONFIG_FILE));
  const file = openSafetensors(join(folder, TENSOR_FILE));
  try {
    const tensors = placesOf(file, model.linears);
    const targets = [...new Set([...tensors.keys()].map((name) => name.replace(/\.lora_[AB]\.weight$/, "")))];
    return attachLora(model, {
      ...config,
      ...options,
      targets,
      values: valuesFrom(file, tensors, config),
    });
  } finally {
    file.close();
  }
}

/**
 * Puts the values of a saved adapter into one that is attached already, for some of its products.
 *
 * @param folder - Of {@link savePeft}.
 * @param products - Some of `lora.targets`.
 * @throws `BasicError` `E_WEIGHTS_MISSING` for an absent file or tensor, `E_WEIGHTS_FORMAT` for other products or shapes.
 */
export function restorePeft(folder: string, lora: Lora, products: readonly string[]): void {
  const file = openSafetensors(join(folder, TENSOR_FILE));
  try {
    const places = placesOf(file, new Map(lora.targets.map((target) => [target, null])));
    const values = valuesFrom(file, places, lora.options);
    for (const name of products.flatMap((one) => [`${one}.lora_A.weight`, `${one}.lora_B.weight`])) {
      const parameter = lora.parameters.get(name);
      const { shape } = parameter;
      parameter.assign(tf.tensor(values(name, shape), [...shape], "float32"));
    }
  } finally {
    file.close();
  }
}

/** Our names of the tensors, and theirs in the file. */
function placesOf(
  file: Safetensors,
  products: Pick<ReadonlyMap<string, unknown>, "has" | "keys">,
): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const name of file.names) {
    const [, product, which] = tensorPattern.exec(name) ?? [];
    const ours = product === undefined ? undefined : ourName(product);
    if (ours === undefined || !products.has(ours)) {
      const [first = "(none)"] = products.keys();
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${file.location}: the model has no product for the tensor "${name}"; its first one would be ` +
          `"${PREFIX}${first}.lora_A.weight". Load the model that the adapter was trained on.`,
      );
    }
    places.set(`${ours}.lora_${which}.weight`, name);
  }
  if (places.size > 0) return places;
  throw new BasicError(
    "E_WEIGHTS_MISSING",
    `${file.location} holds no tensor of an adapter. Save the adapter again with save_pretrained.`,
  );
}

/** Names inside of a LLaVA of transformers begin with its language model's. */
function ourName(product: string): string {
  return product.replace(/^(model\.language_model|language_model\.model|language_model)\./, "model.");
}

function valuesFrom(
  file: Safetensors,
  places: ReadonlyMap<string, string>,
  { rank }: Pick<PeftConfig, "rank">,
): (name: string, shape: readonly number[]) => Float32Array {
  return (name, shape) => {
    const stored = places.get(name);
    if (stored === undefined) {
      throw new BasicError(
        "E_WEIGHTS_MISSING",
        `${file.location} holds no tensor "${PREFIX}${name}", but its partner is there. Save the adapter again.`,
      );
    }
    const found = file.entry(stored).shape;
    if (found.join() !== shape.join()) {
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${file.location}: tensor "${stored}" has shape ${formatShape(found)}, but the model and \`r\` ${rank} of ${CONFIG_FILE} ask for ${formatShape(shape)}. ` +
          "Load the model that the adapter was trained on.",
      );
    }
    return file.floats(stored);
  };
}

/** Options of {@link savePeft}. */
export interface SavePeftOptions {
  /** Name or folder of the base model, for people and for PEFT. Default: none. */
  readonly baseModel?: string;
}

/**
 * Writes an adapter as PEFT does: adapter_config.json and adapter_model.safetensors, each whole or not at all.
 *
 * @param model - The one that the adapter sits on.
 * @throws `BasicError` `E_DISK_FULL`.
 */
export async function savePeft(
  folder: string,
  lora: Lora,
  model: AdaptableModel,
  { baseModel }: SavePeftOptions = {},
): Promise<void> {
  await writeSafetensors(
    join(folder, TENSOR_FILE),
    tensorsOf(lora.parameters, (name) => PREFIX + name),
  );
  const config = writePeftConfig(lora, [...model.linears.keys()], baseModel ?? null);
  await writeJson(join(folder, CONFIG_FILE), config);
}

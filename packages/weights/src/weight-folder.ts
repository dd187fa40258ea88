import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { BasicError, formatShape } from "@basic-mllm/core";

import { openSafetensors } from "./files.js";
import { INDEX, noWeights, shardsOf, WHOLE } from "./hub/model-files.js";
import { readJson } from "./json-file.js";
import type { TensorFile } from "./safetensors.js";

/** Tensors of checkpoints that are no weights, or not ours to use. */
const ignorable = [
  /(^|\.)position_ids$/,
  /rotary_emb\.inv_freq$/,
  // SigLIP's attention-pooling head gives one vector per image; features do not pass through it.
  /(^|\.)(vision_model\.|vision_tower\.)?head\./,
  // DINOv2 hides patches behind it in its own training only.
  /(^|\.)embeddings\.mask_token$/,
  /^(text_model|text_projection|visual_projection|logit_scale|logit_bias)(\.|$)/,
];

/** The safetensors files of a folder: `model.safetensors`, or the shards of its index. */
export class WeightFolder {
  readonly location: string;
  readonly #files: readonly TensorFile[];
  readonly #byName = new Map<string, TensorFile>();
  readonly #used = new Set<string>();

  /**
   * @param files - Instead of the safetensors files of the folder, which is then a name for messages alone.
   * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`.
   */
  constructor(folder: string, files: readonly TensorFile[] = openAll(folder)) {
    this.location = folder;
    this.#files = files;
    for (const file of this.#files) {
      for (const name of file.names) this.#byName.set(name, file);
    }
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /**
   * Values of the first of `names` that exists.
   *
   * @throws `BasicError` `E_WEIGHTS_MISSING`, or `E_WEIGHTS_FORMAT` when the shape is another.
   */
  floats(names: readonly string[], shape: readonly number[]): Float32Array {
    const name = names.find((candidate) => this.#byName.has(candidate));
    const file = name === undefined ? undefined : this.#byName.get(name);
    if (name === undefined || file === undefined) {
      throw new BasicError(
        "E_WEIGHTS_MISSING",
        `${this.location} holds no tensor "${names[0]}"${names.length > 1 ? ` (or ${names.slice(1).join(", ")})` : ""}. ` +
          "Is config.json of another model, or a shard missing?",
      );
    }
    const found = file.entry(name).shape;
    if (found.join() !== shape.join()) {
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${file.location}: tensor "${name}" has shape ${formatShape(found)}, but config.json asks for ${formatShape(shape)}.`,
      );
    }
    this.#used.add(name);
    return file.floats(name);
  }

  /** Marks a tensor as known without reading it. */
  ignore(name: string): void {
    this.#used.add(name);
  }

  /**
   * Ends the reading.
   *
   * @throws `BasicError` `E_WEIGHTS_FORMAT` when weights are left that the model has no place for: it
   *   would compute something else than the checkpoint's.
   */
  checkAllUsed(): void {
    const left = [...this.#byName.keys()].filter(
      (name) => !this.#used.has(name) && !ignorable.some((pattern) => pattern.test(name)),
    );
    if (left.length === 0) return;
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `${this.location} holds ${left.length} tensors that a model of its config.json does not have: ` +
        `${left.slice(0, 3).join(", ")}${left.length > 3 ? ", ..." : ""}. Is config.json of another model?`,
    );
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}

function openAll(folder: string): readonly TensorFile[] {
  return openEach(fileNames(folder).map((name) => () => openSafetensors(join(folder, name))));
}

/** All files, or none: where one cannot be opened, the others are closed. */
export function openEach(openers: readonly (() => TensorFile)[]): readonly TensorFile[] {
  const opened: TensorFile[] = [];
  try {
    for (const open of openers) opened.push(open());
    return opened;
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

function fileNames(folder: string): readonly string[] {
  if (existsSync(join(folder, WHOLE))) return [WHOLE];
  const index = join(folder, INDEX);
  if (!existsSync(index)) throw noWeights(folder, namesIn(folder));
  const shards = shardsOf(readJson(index), index);
  const missing = shards.filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return shards;
  const found = shards.filter((name) => !missing.includes(name));
  throw new BasicError(
    "E_WEIGHTS_MISSING",
    `${folder} lacks ${missing.length} of the ${shards.length} files that its ${INDEX} names: ${missing.join(", ")}. ` +
      `Found: ${found.join(", ") || "none of them"}. Download the missing ones.`,
  );
}

/** Files and folders, for a message. */
function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

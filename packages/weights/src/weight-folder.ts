import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { openSafetensors } from "./files.js";
import { INDEX, noWeights, shardsOf, WHOLE } from "./hub/model-files.js";
import { readJson } from "./json-file.js";
import type { TensorFile } from "./safetensors.js";
import type { TensorInfo } from "./safetensors-header.js";
import { checkTensors, type FoundTensor, type WantedTensor } from "./weight-check.js";

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

/** A tensor and the file that holds it. */
export interface StoredTensor extends TensorInfo {
  readonly file: TensorFile;
}

/**
 * Opens weights in safetensors, wherever they lie: a file, or a folder with `model.safetensors` or shards and their index.
 * Tensors are read when they are asked for. Close it after use.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`.
 */
export function openWeights(path: string): TensorFile {
  const isFolder = existsSync(path) && statSync(path).isDirectory();
  return isFolder ? new WeightFolder(path) : openSafetensors(path);
}

/** The safetensors files of a folder: `model.safetensors`, or the shards of its index. */
export class WeightFolder implements TensorFile {
  readonly location: string;
  readonly #files: readonly TensorFile[];
  readonly #byName = new Map<string, TensorFile>();
  /** The file that the index names for each tensor. */
  readonly #indexed: ReadonlyMap<string, string>;

  /**
   * @param files - Instead of the safetensors files of the folder, which is then a name for messages alone.
   * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`.
   */
  constructor(folder: string, files?: readonly TensorFile[]) {
    this.location = folder;
    const { names, indexed } = files === undefined ? filesOf(folder) : NO_FILES;
    this.#indexed = indexed;
    this.#files = files ?? openEach(names.map((name) => () => openSafetensors(join(folder, name))));
    for (const file of this.#files) {
      for (const name of file.names) {
        // Of a tensor that two shards hold, the index says which counts.
        const isOther = this.#byName.has(name) && indexed.get(name) !== basename(file.location);
        if (!isOther) this.#byName.set(name, file);
      }
    }
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  entry(name: string): TensorInfo {
    return this.find([name]).file.entry(name);
  }

  floats(name: string): Float32Array {
    return this.find([name]).file.floats(name);
  }

  readFloats(name: string, first: number, target: Float32Array): void {
    this.find([name]).file.readFloats(name, first, target);
  }

  integers(name: string): Int32Array {
    return this.find([name]).file.integers(name);
  }

  /**
   * The first of `names` that exists.
   *
   * @throws `BasicError` `E_WEIGHTS_MISSING`; {@link check} finds all that are missing at once.
   */
  find(names: readonly string[]): StoredTensor {
    const name = names.find((candidate) => this.#byName.has(candidate)) ?? "";
    const file = this.#byName.get(name);
    if (file !== undefined) return { ...file.entry(name), file };
    throw new BasicError("E_WEIGHTS_MISSING", `${this.location} holds no tensor "${names.join('" or "')}".`);
  }

  /**
   * Whether the folder holds what a model needs, and nothing that it has no place for.
   *
   * @param spare - Names that may be there as well.
   * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT`, see {@link checkTensors}.
   */
  check(wanted: readonly WantedTensor[], spare: readonly string[] = []): void {
    const found = new Map<string, FoundTensor>();
    for (const [name, file] of this.#byName) {
      found.set(name, { name, shape: file.entry(name).shape, file: basename(file.location) });
    }
    checkTensors({
      location: this.location,
      wanted,
      found,
      indexed: this.#indexed,
      mayBeLeft: (name) => spare.includes(name) || ignorable.some((pattern) => pattern.test(name)),
    });
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
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

interface FolderFiles {
  readonly names: readonly string[];
  readonly indexed: ReadonlyMap<string, string>;
}

const NO_FILES: FolderFiles = { names: [], indexed: new Map() };

function filesOf(folder: string): FolderFiles {
  if (existsSync(join(folder, WHOLE))) return { names: [WHOLE], indexed: new Map() };
  const path = join(folder, INDEX);
  if (!existsSync(path)) throw noWeights(folder, namesIn(folder));
  const index = readJson(path);
  const names = shardsOf(index, path);
  const indexed = new Map(Object.entries((index as { weight_map: Record<string, string> }).weight_map));
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return { names, indexed };
  const lost = [...indexed].filter(([, file]) => missing.includes(file)).map(([tensor]) => tensor);
  const found = names.filter((name) => !missing.includes(name));
  throw new BasicError(
    "E_WEIGHTS_MISSING",
    `${folder} lacks ${missing.length} of the ${names.length} files that its ${INDEX} names: ${missing.join(", ")}, ` +
      `and with them ${lost.length} of ${indexed.size} tensors (${lost.slice(0, 3).join(", ")}${lost.length > 3 ? ", ..." : ""}). ` +
      `Found: ${found.join(", ") || "none of them"}. Download the missing ones.`,
  );
}

/** Files and folders, for a message. */
function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

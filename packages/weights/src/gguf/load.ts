import {
  BasicError,
  createDecoder,
  type Decoder,
  formatShape,
  type PackedStorage,
  type PackedValues,
  type ValueSource,
} from "@basic-mllm/core";

import type { PlaceOf } from "../places.js";
import { packTensor } from "../weight-storage.js";
import { type GgufConfig, readGgufConfig } from "./config.js";
import { dequantise, wordsOfBytes } from "./dequantise.js";
import { type GgufFile, openGguf } from "./file.js";
import type { GgufEntry } from "./header.js";
import { ggufPlaces } from "./names.js";
import { factorsOf } from "./rotary-fields.js";
import { reorderRows, rotaryRows } from "./rows.js";
import type { GgufType } from "./tensor-types.js";
import { readGgufTokenizer, type TokenizerFiles } from "./tokenizer.js";

/** A language model of a GGUF file. */
export interface GgufModel {
  readonly kind: "language";
  readonly language: Decoder;
  /** What `createTokenizer` takes; null where the file has none. */
  readonly tokenizer: TokenizerFiles | null;
}

/** Every {@link GgufStorage}. */
export const ggufStorages = ["f32", "bf16", "f16", "file"] as const;

/**
 * How the matrices of the blocks are kept; norms and biases are float32.
 *
 * - `f32`: they can train
 * - `bf16`, `f16`: half of that, rounded to nearest; frozen
 * - `file`: Q8_0, Q4_0, Q4_1, BF16 and F16 as they are stored, and frozen; other types as float32
 */
export type GgufStorage = (typeof ggufStorages)[number];

/** Options of {@link loadGguf}. */
export interface GgufOptions {
  /** Default `f32`. */
  readonly storage?: GgufStorage;
  /**
   * How the table of words and the head are kept. `f32` (default): losses read them so. `file`: Q8_0, Q4_0, Q4_1,
   * BF16 and F16 as they are stored, for a model that only generates.
   */
  readonly table?: "f32" | "file";
}

/**
 * Loads a language model and its tokenizer from a GGUF file of llama.cpp: architectures llama (with Mistral and
 * SmolLM2), qwen2, qwen3, gemma, gemma2 and phi3. One tensor at a time is read and decoded.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING`, `E_WEIGHTS_FORMAT` for a damaged file, other shapes or tensors that the
 *   model has no place for; `E_CONFIG` for a model that we cannot follow, `E_TOKENIZER`.
 */
export async function loadGguf(path: string, options: GgufOptions = {}): Promise<GgufModel> {
  const file = await openGguf(path);
  try {
    const config = readGgufConfig(file);
    const tokenizer = readGgufTokenizer(file);
    const tensors = new GgufTensors(file, config);
    const language = createDecoder(config.config, { values: tensors.source(options) });
    tensors.checkAllUsed();
    return { kind: "language", language, tokenizer };
  } finally {
    file.close();
  }
}

/** Types that the frozen kernels compute with as they are. */
const packedAs: Readonly<Partial<Record<GgufType, PackedStorage>>> = {
  BF16: "bf16",
  F16: "f16",
  Q8_0: "q8_0",
  Q4_0: "q4_0",
  Q4_1: "q4_1",
};

/** A stored tensor in the order of our parameter. */
interface Stored {
  readonly entry: GgufEntry;
  readonly bytes: Uint8Array;
}

/** The tensors of a file under the names and in the layout of our decoder. */
class GgufTensors {
  readonly #file: GgufFile;
  readonly #model: GgufConfig;
  readonly #place: PlaceOf;
  readonly #used: Set<string>;

  constructor(file: GgufFile, model: GgufConfig) {
    this.#file = file;
    this.#model = model;
    this.#place = ggufPlaces(model);
    this.#used = new Set(factorsOf({ file, architecture: model.architecture }));
  }

  source({ storage = "f32", table = "f32" }: GgufOptions): ValueSource {
    const floats = (name: string, shape: readonly number[]): Float32Array => this.#floats(name, shape);
    const stored = (name: string, shape: readonly number[]) => this.#asStored(name, shape);
    const tables = table === "file" && { packedTable: stored };
    if (storage === "f32") return Object.assign(floats, tables);
    const packed = (name: string, shape: readonly number[]): PackedValues | undefined =>
      storage === "file"
        ? this.#asStored(name, shape)
        : { storage, words: packTensor(storage, this.#floats(name, shape), this.#tensor(name, shape)) };
    return Object.assign(floats, { packed }, tables);
  }

  /** @throws `BasicError` `E_WEIGHTS_FORMAT` when tensors are left that the model has no place for. */
  checkAllUsed(): void {
    const left = this.#file.names.filter((name) => !this.#used.has(name));
    if (left.length === 0) return;
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `${this.#file.location} holds ${left.length} tensors that a ${this.#model.architecture} model does not have: ` +
        `${left.slice(0, 3).join(", ")}${left.length > 3 ? ", ..." : ""}. Models with them are not supported.`,
    );
  }

  #floats(name: string, shape: readonly number[]): Float32Array {
    const { entry, bytes } = this.#stored(name, shape);
    const where = `${this.#file.location}: tensor "${entry.name}"`;
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    const values = dequantise(bytes, entry.type, size, where);
    // The converter stores Gemma's 1 + weight.
    const isGemmaNorm = this.#model.config.normAddOne && name.endsWith("norm.weight");
    return isGemmaNorm ? values.map((value) => value - 1) : values;
  }

  /** Where a parameter's values lie. */
  #tensor(name: string, shape: readonly number[]): { file: GgufFile; name: string } {
    const [stored = ""] = this.#place(name, shape).names;
    return { file: this.#file, name: stored };
  }

  #asStored(name: string, shape: readonly number[]): PackedValues | undefined {
    const storage = packedAs[this.#file.entry(this.#tensor(name, shape).name).type];
    return storage && { storage, words: wordsOfBytes(this.#stored(name, shape).bytes) };
  }

  #stored(name: string, shape: readonly number[]): Stored {
    const { architecture, config } = this.#model;
    const place = this.#place(name, shape);
    const [stored = ""] = place.names;
    const entry = this.#file.entry(stored);
    if (entry.shape.join() !== place.shape.join()) {
      throw new BasicError(
        "E_WEIGHTS_FORMAT",
        `${this.#file.location}: tensor "${entry.name}" has shape ${formatShape(entry.shape)}, but the fields \`${architecture}.*\` ask for ${formatShape(place.shape)}. Make the file again.`,
      );
    }
    this.#used.add(entry.name);
    const bytes = this.#file.rows(entry.name, place);
    const isTurned = architecture === "llama" && /\.self_attn\.[qk]_proj\./.test(name);
    return {
      entry,
      bytes: isTurned ? reorderRows(bytes, rotaryRows(shape[0] as number, config.headWidth)) : bytes,
    };
  }
}

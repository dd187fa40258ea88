import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import { packedEmbedding } from "../../kernels/packed-embedding.js";
import type { PackedStorage } from "../../kernels/quantised.js";
import { runKernel } from "../../kernels/run.js";
import { Builder, randomValues, type ValueSource } from "../../layers/builder.js";
import { embed, spliceRows } from "../../layers/embedding.js";
import { applyLinear, type Linear } from "../../layers/linear.js";
import { RmsNorm } from "../../layers/norm.js";
import { rotaryFrequencies } from "../../layers/rotary.js";
import { type Parameter, ParameterSet } from "../../parameters.js";
import type { Head, KeyValueCache, LanguageInput, LanguageModel, Observe, Observed } from "../interfaces.js";
import { DecoderBlock } from "./block.js";
import { DecoderCache } from "./cache.js";
import { type DecoderConfig, decoderConfig } from "./config.js";
import { checkObserve, Observation, type Seen } from "./observation.js";
import { checkPackedRows } from "./packed.js";

/** Looks at the hidden states while the decoder runs. */
interface Watcher {
  receive(block: number): ReturnType<Observation["receive"]>;
  after(block: number, x: tf.Tensor2D, received: tf.Tensor1D | undefined): void;
}

/** Options of {@link createDecoder}. */
export interface DecoderOptions {
  /** Seed of the first values. Default 0. */
  readonly seed?: number;
  /** First values; instead of `seed`. */
  readonly values?: ValueSource;
}

/**
 * Builds a decoder. Parameters have Hugging Face's names: `model.embed_tokens.weight`,
 * `model.layers.N.self_attn.q_proj.weight`, ..., `model.norm.weight`, `lm_head.weight`.
 *
 * @throws {@link BasicError} `E_CONFIG` when sizes do not fit together.
 */
export function createDecoder(config: DecoderConfig, options: DecoderOptions = {}): Decoder {
  const checked = decoderConfig(config);
  const { initialStd: std, depth } = checked;
  const scales = { weight: std, embedding: std, residual: 1 / Math.sqrt(2 * depth) };
  return new Decoder(checked, options.values ?? randomValues(options.seed ?? 0, scales));
}

/** A causal language model over packed rows. */
export class Decoder implements LanguageModel {
  readonly parameters = new ParameterSet();
  /** The products of all blocks by name (`model.layers.0.self_attn.q_proj`), for adapters. */
  readonly linears: ReadonlyMap<string, Linear>;
  /** Whether training runs each block again in its gradient, instead of keeping what happens inside: same bits, less memory. */
  recompute = false;
  #config: DecoderConfig;
  readonly #table: Parameter;
  readonly #blocks: readonly DecoderBlock[];
  readonly #norm: RmsNorm;
  readonly #head: Parameter;

  /** Use {@link createDecoder}. */
  constructor(config: DecoderConfig, values: ValueSource) {
    const { vocabularySize, width, depth, normEpsilon, normAddOne, tiedHead } = config;
    const builder = new Builder(this.parameters, values);
    this.#config = config;
    this.linears = builder.linears;
    this.#table = builder.addTable("model.embed_tokens.weight", [vocabularySize, width], "embedding");
    this.#blocks = Array.from(
      { length: depth },
      (_, i) => new DecoderBlock(builder.within(`model.layers.${i}`), config),
    );
    this.#norm = new RmsNorm(builder, "model.norm", { width, epsilon: normEpsilon, addOne: normAddOne });
    this.#head = tiedHead
      ? this.#table
      : builder.addTable("lm_head.weight", [vocabularySize, width], "weight");
  }

  /** Sizes and options; {@link resizeVocabulary} changes the number of tokens. */
  get config(): DecoderConfig {
    return this.#config;
  }

  /** The embedding table, and the head where it is not tied. For {@link resizeVocabulary}. */
  get vocabularyParameters(): readonly Parameter[] {
    return this.#head === this.#table ? [this.#table] : [this.#table, this.#head];
  }

  /** Use {@link resizeVocabulary}, which changes the tables as well. */
  setVocabularySize(size: number): void {
    this.#config = { ...this.#config, vocabularySize: size };
  }

  get depth(): number {
    return this.config.depth;
  }

  get width(): number {
    return this.config.width;
  }

  get vocabularySize(): number {
    return this.config.vocabularySize;
  }

  /**
   * E `[V, D]`: the stored table, without Gemma's √D.
   *
   * @throws {@link BasicError} `E_CONFIG` where it is packed.
   */
  get vocabulary(): tf.Tensor2D {
    return floatsOf(this.#table, "the table of words");
  }

  /** @throws {@link BasicError} `E_CONFIG` where it is packed: {@link logits} still works. */
  get head(): Head {
    const weight = floatsOf(this.#head, "the head");
    return { weight, trainable: this.#head.trainable, softcap: this.config.headSoftcap };
  }

  /**
   * Runs all blocks. `refined`, `patchWeights` and `blocks` are empty for a batch without images.
   *
   * @throws {@link BasicError} `E_SHAPE`, `E_INDEX_RANGE`, `E_IMAGE_TOKENS` on a batch that does not fit;
   *   `E_CONFIG` when the model cannot observe what is asked.
   */
  forward(input: LanguageInput, observe?: Observe): Observed {
    const observation = this.#observation(input, observe);
    const result = tf.tidy(() => {
      const hidden = this.#run(input, observation);
      const seen: Seen = observation?.seen ?? { blocks: [] };
      return { hidden, ...seen };
    });
    return { ...result, blocks: new Map(result.blocks) };
  }

  /** All hidden states `[R, D]` as Hugging Face lists them: the input, each block, the last one after the norm. */
  hiddenStates(input: LanguageInput): readonly tf.Tensor2D[] {
    return tf.tidy(() => {
      const states: tf.Tensor2D[] = [];
      const hidden = this.#run(input, {
        receive: () => undefined,
        after: (_, x) => {
          states.push(tf.clone(x));
        },
      });
      return [...states.slice(0, -1), hidden];
    });
  }

  /**
   * Next-token logits `[R, V]` of final hidden states `[R, D]`, of a packed head without decoding it. For generation; losses
   * are chunked instead.
   */
  logits(hidden: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const { headSoftcap: softcap, width: inFeatures, vocabularySize: outFeatures } = this.config;
      const { value: weight, trainable, storage } = this.#head;
      const packed = storage === "f32" ? undefined : { storage, inFeatures, outFeatures };
      const plain = applyLinear(hidden, { weight, bias: null, trainable, ...(packed && { packed }) });
      return softcap === 0 ? plain : tf.mul<tf.Tensor2D>(tf.tanh(tf.div(plain, softcap)), softcap);
    });
  }

  /** An empty cache, for one sample unless told otherwise; the caller disposes it. */
  createCache(samples?: number): KeyValueCache {
    return new DecoderCache(this.config.depth, samples);
  }

  #observation(input: LanguageInput, observe: Observe | undefined): Observation | undefined {
    if (observe === undefined) return undefined;
    checkObserve(observe, this.config.depth);
    if (input.cache !== undefined) {
      throw new BasicError(
        "E_CONFIG",
        "forward: cannot observe with a cache. Run the whole sample without one.",
      );
    }
    return input.visual === null ? undefined : new Observation(observe, input.packed, this.config.heads);
  }

  #run(input: LanguageInput, watcher: Watcher | undefined): tf.Tensor2D {
    const { packed, visual, cache } = input;
    checkPackedRows(packed, this.config.vocabularySize, visual?.shape[0] ?? 0);
    const grown = checkedCache(cache);
    grown?.prepare(packed);
    const { positions, offsets: queryOffsets } = packed;
    const length = 1 + positions.reduce((largest, position) => Math.max(largest, position), 0);
    const rotary = { table: rotaryFrequencies(this.config.rotary, length), positions };
    let x = this.#embed(input);
    watcher?.after(0, x, undefined);
    for (const [i, block] of this.#blocks.entries()) {
      const receive = watcher?.receive(i + 1);
      const blockRows = {
        queryOffsets,
        keyOffsets: queryOffsets,
        causal: true,
        window: this.config.windows[i] ?? 0,
        rotary,
        ...(grown && { cache: grown.layer(i) }),
        ...(receive && { receive }),
      };
      const next = this.recompute && !grown ? block.recomputed(x, blockRows) : block.call(x, blockRows);
      x.dispose();
      x = next.x;
      watcher?.after(i + 1, x, next.received);
    }
    grown?.advance(packed);
    return this.#norm.call(x);
  }

  #embed({ packed, visual }: LanguageInput): tf.Tensor2D {
    if (visual !== null && visual.shape[1] !== this.width) {
      throw new BasicError(
        "E_SHAPE",
        `forward: visual embeddings have width ${visual.shape[1]}, the language model has ${this.width}. Make the projector's width equal.`,
      );
    }
    const { value, storage, shape } = this.#table;
    const rows =
      storage === "f32"
        ? inputRows(value as tf.Tensor2D, packed.ids, visual)
        : packedInputRows({ table: value, storage, shape }, packed.ids, visual);
    return this.config.embeddingScale === 1 ? rows : tf.mul<tf.Tensor2D>(rows, this.config.embeddingScale);
  }
}

function inputRows(table: tf.Tensor2D, ids: Int32Array, visual: tf.Tensor2D | null): tf.Tensor2D {
  return visual === null ? embed(table, ids) : spliceRows(table, visual, ids);
}

/** Decodes the rows that are used, each once, and takes those. */
function packedInputRows(
  { table, storage, shape }: { table: tf.Tensor; storage: PackedStorage; shape: readonly number[] },
  ids: Int32Array,
  visual: tf.Tensor2D | null,
): tf.Tensor2D {
  const used = Int32Array.from(new Set(ids.filter((id) => id >= 0)));
  const rowOf = new Map(Array.from(used, (id, row) => [id, row]));
  const [height, width] = shape as [number, number];
  const [rows] = runKernel(packedEmbedding, { table }, { storage, height, width, ids: used });
  const places = ids.map((id) => rowOf.get(id) ?? id);
  return inputRows(rows as tf.Tensor2D, places, visual);
}

function floatsOf({ name, value, storage }: Parameter, what: string): tf.Tensor2D {
  if (storage === "f32") return value as tf.Tensor2D;
  throw new BasicError(
    "E_CONFIG",
    `${what} ("${name}") is stored as ${storage}, but losses read it in float32. Load the model with \`table: "f32"\`.`,
  );
}

function checkedCache(cache: KeyValueCache | undefined): DecoderCache | undefined {
  if (cache === undefined || cache instanceof DecoderCache) return cache;
  throw new BasicError(
    "E_CONFIG",
    "forward: the cache was made by another model. Use this model's createCache().",
  );
}

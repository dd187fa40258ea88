import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../autodiff.js";
import { attention, attentionReceived } from "../kernels/attention.js";
import { cachedAttention } from "../kernels/cached-attention.js";
import { runKernel } from "../kernels/run.js";
import type { Builder } from "./builder.js";
import { callTogether, Linear } from "./linear.js";
import { RmsNorm } from "./norm.js";
import { applyRotary, type RotaryTable } from "./rotary.js";

/** Sizes and options of a {@link SelfAttention}. */
export interface AttentionConfig {
  readonly width: number;
  readonly heads: number;
  /** Fewer than `heads` = grouped queries. */
  readonly keyValueHeads: number;
  readonly headWidth: number;
  readonly inputBias: boolean;
  readonly outputBias: boolean;
  /** Name of the output product: `o_proj` in language models, `out_proj` in CLIP and SigLIP. */
  readonly outputName: "o_proj" | "out_proj";
  /** Factor on q · k. */
  readonly scale: number;
  /** Cap on the scores; 0 = none. */
  readonly softcap: number;
  /** RMS norm of each query and key head (Qwen3, Gemma 3); null = none. */
  readonly headNorm: { readonly epsilon: number; readonly addOne: boolean } | null;
}

/** Keys and values of earlier rows of one layer. */
export interface LayerCache {
  /** `[S]`: rows that it holds of each sample, before the new ones. */
  readonly starts: Int32Array;
  /** Buffers `[S, N, width]` with room for the new rows. */
  buffers(width: number): { keys: tf.Tensor3D; values: tf.Tensor3D };
  /** Takes over the buffers with the new rows in them. */
  keep(keys: tf.Tensor3D, values: tf.Tensor3D): void;
}

/** Which rows see which. */
export interface AttentionRows {
  /** `[B + 1]`: samples in the query rows. */
  readonly queryOffsets: Int32Array;
  /** `[B + 1]`: samples in the key rows. Not read with a cache. */
  readonly keyOffsets: Int32Array;
  readonly causal: boolean;
  /** Position i sees j with 0 ≤ i − j < window; 0 = no window. */
  readonly window: number;
  readonly rotary?: { readonly table: RotaryTable; readonly positions: Int32Array };
  readonly cache?: LayerCache;
  /** Asks for the attention that key rows receive from text rows. */
  readonly receive?: { readonly countsAsText: Int32Array; readonly receiveFrom: Int32Array };
}

/** Result of {@link SelfAttention.call}. */
export interface Attended {
  /** `[R, D]`. */
  readonly y: tf.Tensor2D;
  /** Raw sums over heads and text rows, `[R]`, detached; present when asked for. */
  readonly received?: tf.Tensor1D;
}

/** Multi-head attention of packed rows with its four products. Parameters `NAME.{q,k,v}_proj.*` and the output. */
export class SelfAttention {
  readonly #config: AttentionConfig;
  readonly #query: Linear;
  readonly #key: Linear;
  readonly #value: Linear;
  readonly #output: Linear;
  readonly #queryNorm: RmsNorm | null;
  readonly #keyNorm: RmsNorm | null;

  constructor(builder: Builder, name: string, config: AttentionConfig) {
    const { width, heads, keyValueHeads, headWidth, headNorm } = config;
    const inner = builder.within(name);
    const input = { inFeatures: width, bias: config.inputBias };
    this.#config = config;
    this.#query = new Linear(inner, "q_proj", { ...input, outFeatures: heads * headWidth });
    this.#key = new Linear(inner, "k_proj", { ...input, outFeatures: keyValueHeads * headWidth });
    this.#value = new Linear(inner, "v_proj", { ...input, outFeatures: keyValueHeads * headWidth });
    this.#output = new Linear(inner, config.outputName, {
      inFeatures: heads * headWidth,
      outFeatures: width,
      bias: config.outputBias,
      role: "residual",
    });
    const norm = headNorm === null ? null : { ...headNorm, width: headWidth };
    this.#queryNorm = norm && new RmsNorm(inner, "q_norm", norm);
    this.#keyNorm = norm && new RmsNorm(inner, "k_norm", norm);
  }

  /** @param x - `[R, D]`, already normalised. */
  call(x: tf.Tensor2D, rows: AttentionRows): Attended {
    const { heads, keyValueHeads } = this.#config;
    const products = callTogether([this.#query, this.#key, this.#value], x);
    const [queries, keys, v] = products as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    const q = this.#turn(this.#normHeads(queries, this.#queryNorm, heads), heads, rows);
    const k = this.#turn(this.#normHeads(keys, this.#keyNorm, keyValueHeads), keyValueHeads, rows);
    const inputs = { q, k, v };
    const { y, received } =
      rows.cache === undefined ? this.#attend(inputs, rows) : this.#attendCached(inputs, rows, rows.cache);
    const output = this.#output.call(y);
    return received === undefined ? { y: output } : { y: output, received };
  }

  #attend(inputs: { q: tf.Tensor2D; k: tf.Tensor2D; v: tf.Tensor2D }, rows: AttentionRows): Attended {
    const { heads, keyValueHeads: kvHeads, scale, softcap } = this.#config;
    const { queryOffsets: qOffsets, keyOffsets: kvOffsets, causal, window, receive } = rows;
    const attrs = { qOffsets, kvOffsets, heads, kvHeads, scale, causal, window, softcap };
    if (receive === undefined) {
      return { y: runKernel(attention, inputs, attrs)[0] as tf.Tensor2D };
    }
    const [y, , received] = runKernel(attentionReceived, inputs, { ...attrs, ...receive });
    return { y: y as tf.Tensor2D, received: detach(received as tf.Tensor1D) };
  }

  #attendCached(
    inputs: { q: tf.Tensor2D; k: tf.Tensor2D; v: tf.Tensor2D },
    { queryOffsets: offsets, window }: AttentionRows,
    cache: LayerCache,
  ): Attended {
    const { heads, keyValueHeads: kvHeads, scale, softcap } = this.#config;
    const buffers = cache.buffers(inputs.k.shape[1]);
    const attrs = { offsets, starts: cache.starts, heads, kvHeads, scale, window, softcap };
    const [y, keys, values] = runKernel(cachedAttention, { ...inputs, ...buffers }, attrs);
    cache.keep(keys as tf.Tensor3D, values as tf.Tensor3D);
    return { y: y as tf.Tensor2D };
  }

  #turn(x: tf.Tensor2D, heads: number, { rotary }: AttentionRows): tf.Tensor2D {
    return rotary === undefined ? x : applyRotary(x, heads, rotary.table, rotary.positions);
  }

  #normHeads(x: tf.Tensor2D, norm: RmsNorm | null, heads: number): tf.Tensor2D {
    if (norm === null) return x;
    const [rows, width] = x.shape;
    const perHead = norm.call(tf.reshape(x, [rows * heads, width / heads]));
    return tf.reshape(perHead, [rows, width]);
  }
}

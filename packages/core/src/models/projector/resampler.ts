import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";

import { attention } from "../../kernels/attention.js";
import { runKernel } from "../../kernels/run.js";
import type { Builder } from "../../layers/builder.js";
import { gatherRows } from "../../layers/embedding.js";
import { Linear } from "../../layers/linear.js";
import { LayerNorm } from "../../layers/norm.js";
import type { Parameter } from "../../parameters.js";
import type { Grid } from "../interfaces.js";
import { BuiltInProjector, type ImageRows, type ProjectorSetup } from "./built-in-projector.js";

const EPSILON = 1e-5;

const count = z.int().positive();

/** Options of `resampler`. */
export const resamplerOptions = z.strictObject({
  queries: count.default(128).describe("Rows that each image becomes."),
  depth: count.default(3).describe("Layers of attention and feed-forward."),
  heads: count.default(8).describe("Attention heads."),
  headWidth: count.default(64).describe("Width of a head."),
  expansion: count.default(4).describe("Width inside of the feed-forward, in widths of the language model."),
});
/** Options of `resampler`. */
export interface ResamplerOptions {
  /** Rows that each image becomes. Default: 128. */
  readonly queries?: number | undefined;
  /** Layers of attention and feed-forward. Default: 3. */
  readonly depth?: number | undefined;
  /** Attention heads. Default: 8. */
  readonly heads?: number | undefined;
  /** Width of a head. Default: 64. */
  readonly headWidth?: number | undefined;
  /** Width inside of the feed-forward, in widths of the language model. Default: 4. */
  readonly expansion?: number | undefined;
}

/**
 * The perceiver resampler (arXiv:2204.14198) as TinyLLaVA has it: features go through a product, then learned queries
 * attend to them and to each other. Rows are no grid any more. Parameters have the names of TinyLLaVA's checkpoints:
 * `latents` `[queries, D]`, `linear.*`, `layers.0.0.to_q.weight` ..., `layers.0.1.1.weight` ..., `norm.*`.
 */
export class ResamplerProjector extends BuiltInProjector {
  readonly input: Linear;
  readonly #latents: Parameter;
  readonly #layers: readonly ResamplerLayer[];
  readonly #norm: LayerNorm;
  readonly #queries: number;

  /** Use {@link createProjector}. */
  constructor(setup: ProjectorSetup, options: z.output<typeof resamplerOptions>) {
    super("resampler", setup, options);
    const { features, width } = setup;
    const builder = this.builder(setup, { embedding: 1 });
    this.#queries = options.queries;
    this.#latents = builder.add("latents", [options.queries, width], "embedding");
    this.input = new Linear(builder, "linear", { inFeatures: features, outFeatures: width, bias: true });
    this.#layers = Array.from(
      { length: options.depth },
      (_, i) => new ResamplerLayer(builder.within(`layers.${i}`), { ...options, width }),
    );
    this.#norm = new LayerNorm(builder, "norm", { width, epsilon: EPSILON });
  }

  get scaling(): readonly Parameter[] {
    return [this.#norm.weight, this.#norm.bias];
  }

  gridAfter(_grid: Grid, _rows: number): ImageRows {
    return { rows: this.#queries, grid: null };
  }

  protected compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D {
    const queries = this.#queries;
    const spans = spansOf(images, queries);
    const repeated = Int32Array.from({ length: images.length * queries }, (_, i) => i % queries);
    const media = this.input.call(rows);
    const latents = gatherRows(this.#latents.value as tf.Tensor2D, repeated);
    return this.#norm.call(this.#layers.reduce((x, layer) => layer.call(media, x, spans), latents));
  }
}

/** Which rows see which. */
interface Spans {
  /** Key rows of each image, out of all features followed by all queries: its features, then its queries. */
  readonly keyRows: Int32Array;
  readonly keyOffsets: Int32Array;
  readonly queryOffsets: Int32Array;
}

function spansOf(images: readonly ImageRows[], queries: number): Spans {
  const total = images.reduce((sum, { rows }) => sum + rows, 0);
  const keyRows: number[] = [];
  const keyOffsets = [0];
  let start = 0;
  for (const [image, { rows }] of images.entries()) {
    for (let row = 0; row < rows; row++) keyRows.push(start + row);
    for (let query = 0; query < queries; query++) keyRows.push(total + image * queries + query);
    keyOffsets.push(keyRows.length);
    start += rows;
  }
  return {
    keyRows: Int32Array.from(keyRows),
    keyOffsets: Int32Array.from(keyOffsets),
    queryOffsets: Int32Array.from({ length: images.length + 1 }, (_, i) => i * queries),
  };
}

/** Attention of the queries, then a feed-forward, each added to its input. */
class ResamplerLayer {
  readonly #heads: number;
  readonly #headWidth: number;
  readonly #mediaNorm: LayerNorm;
  readonly #latentNorm: LayerNorm;
  readonly #query: Linear;
  readonly #keyValue: Linear;
  readonly #output: Linear;
  readonly #innerNorm: LayerNorm;
  readonly #up: Linear;
  readonly #down: Linear;

  constructor(
    builder: Builder,
    sizes: { width: number; heads: number; headWidth: number; expansion: number },
  ) {
    const { width, heads, headWidth, expansion } = sizes;
    const [inner, norm] = [heads * headWidth, { width, epsilon: EPSILON }];
    const linear = (name: string, inFeatures: number, outFeatures: number) =>
      new Linear(builder, name, { inFeatures, outFeatures, bias: false });
    this.#heads = heads;
    this.#headWidth = headWidth;
    this.#mediaNorm = new LayerNorm(builder, "0.norm_media", norm);
    this.#latentNorm = new LayerNorm(builder, "0.norm_latents", norm);
    this.#query = linear("0.to_q", width, inner);
    this.#keyValue = linear("0.to_kv", width, 2 * inner);
    this.#output = linear("0.to_out", inner, width);
    this.#innerNorm = new LayerNorm(builder, "1.0", norm);
    this.#up = linear("1.1", width, expansion * width);
    this.#down = linear("1.3", expansion * width, width);
  }

  /** @param media - `[N, D]`. @param latents - `[images · queries, D]`. @returns Shape of `latents`. */
  call(media: tf.Tensor2D, latents: tf.Tensor2D, spans: Spans): tf.Tensor2D {
    const attended = tf.add<tf.Tensor2D>(this.#attend(media, latents, spans), latents);
    return tf.add(this.#down.call(this.#up.call(this.#innerNorm.call(attended), "gelu-erf")), attended);
  }

  #attend(media: tf.Tensor2D, latents: tf.Tensor2D, spans: Spans): tf.Tensor2D {
    const normed = this.#latentNorm.call(latents);
    const q = this.#query.call(normed);
    const both = tf.concat([this.#mediaNorm.call(media), normed], 0);
    const pairs = this.#keyValue.call(gatherRows(both, spans.keyRows));
    const [k, v] = tf.split(pairs, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
    const [y] = runKernel(
      attention,
      { q, k, v },
      {
        qOffsets: spans.queryOffsets,
        kvOffsets: spans.keyOffsets,
        heads: this.#heads,
        kvHeads: this.#heads,
        scale: this.#headWidth ** -0.5,
        causal: false,
        window: 0,
        softcap: 0,
      },
    );
    return this.#output.call(y as tf.Tensor2D);
  }
}

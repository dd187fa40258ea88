import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import { Builder, randomValues, type ValueSource } from "../../layers/builder.js";
import { gatherRows } from "../../layers/embedding.js";
import type { Linear } from "../../layers/linear.js";
import { LayerNorm } from "../../layers/norm.js";
import { ParameterSet } from "../../parameters.js";
import { formatShape } from "../../shape.js";
import type { VisionEncoder, VisualRows } from "../interfaces.js";
import { VitBlock } from "./block.js";
import type { VitConfig } from "./config.js";
import { dinov2Name } from "./dinov2-names.js";
import { PatchEmbedding } from "./patches.js";

/** Which rows are features: patches, or the class token (and registers) in front of them as well (LLaVA's names). */
export type FeatureSelection = "patch" | "cls_patch";

/** Options of {@link createVit}. */
export interface VitOptions {
  /** Seed of the first values. Default 0. */
  readonly seed?: number;
  /** First values; instead of `seed`. */
  readonly values?: ValueSource;
  /** Index into the hidden states, as Hugging Face counts: −2 (default) = output of the second last block. */
  readonly layer?: number;
  /** Default `patch`. */
  readonly select?: FeatureSelection;
}

/**
 * Builds a vision transformer. Parameters have Hugging Face's names, those of CLIP and SigLIP with the `vision_model.`
 * prefix.
 *
 * @throws {@link BasicError} `E_CONFIG` when `layer` is not one of the hidden states.
 */
export function createVit(config: VitConfig, options: VitOptions = {}): Vit {
  const { layer = -2, select = "patch", seed = 0 } = options;
  const blocks = layer < 0 ? config.depth + 1 + layer : layer;
  if (!Number.isInteger(blocks) || blocks < 0 || blocks > config.depth) {
    throw new BasicError(
      "E_CONFIG",
      `createVit: \`layer\` ${layer} is not a hidden state of ${config.depth} blocks. Use 0 to ${config.depth}, or -1 to -${config.depth + 1}.`,
    );
  }
  const values = options.values ?? randomValues(seed, { weight: "fan-in" });
  return new Vit(config, values, { blocks, select });
}

/** CLIP's, SigLIP's or DINOv2's vision transformer over packed rows, one sample per image. */
export class Vit implements VisionEncoder {
  readonly config: VitConfig;
  readonly parameters = new ParameterSet();
  /** The products of all blocks by name, for adapters. */
  readonly linears: ReadonlyMap<string, Linear>;
  /** How many blocks {@link encode} runs. */
  readonly blocksRun: number;
  readonly select: FeatureSelection;
  readonly #patches: PatchEmbedding;
  readonly #preNorm: LayerNorm | null;
  readonly #blocks: readonly VitBlock[];
  readonly #postNorm: LayerNorm;

  /** Use {@link createVit}. */
  constructor(config: VitConfig, values: ValueSource, run: { blocks: number; select: FeatureSelection }) {
    if (run.select === "cls_patch" && !config.classToken) {
      throw new BasicError(
        "E_CONFIG",
        'createVit: `select` is "cls_patch", but this encoder has no class token. Use "patch".',
      );
    }
    const rename = config.names === "dinov2" ? { rename: dinov2Name } : {};
    const builder = new Builder(this.parameters, values, rename).within("vision_model");
    const norm = { width: config.width, epsilon: config.normEpsilon };
    this.config = config;
    this.linears = builder.linears;
    this.blocksRun = run.blocks;
    this.select = run.select;
    this.#patches = new PatchEmbedding(builder.within("embeddings"), config);
    this.#preNorm = config.preNorm ? new LayerNorm(builder, "pre_layrnorm", norm) : null;
    this.#blocks = Array.from(
      { length: config.depth },
      (_, i) => new VitBlock(builder.within(`encoder.layers.${i}`), config),
    );
    this.#postNorm = new LayerNorm(builder, "post_layernorm", norm);
  }

  get width(): number {
    return this.config.width;
  }

  get imageSize(): number {
    return this.config.imageSize;
  }

  /**
   * Features of the chosen layer; later blocks are not run.
   *
   * @param pixels - `[B, H, W, 3]`, normalised; H and W multiples of the patch size.
   */
  encode(pixels: tf.Tensor4D): VisualRows {
    const { grid, images, rowsPerImage } = this.#sizes(pixels);
    const rows = tf.tidy(() =>
      this.#selected(
        this.#run(pixels, this.blocksRun, (passed) => passed.dispose()),
        images,
      ),
    );
    const kept = this.#drops ? rowsPerImage - this.#extraRows : rowsPerImage;
    return {
      rows,
      offsets: Int32Array.from({ length: images + 1 }, (_, i) => i * kept),
      // With the class token the rows are no grid.
      grids: Array.from({ length: images }, () => (kept === grid[0] * grid[1] ? grid : null)),
    };
  }

  /**
   * All hidden states `[B · N, width]` as Hugging Face lists them (input, then each block), class token
   * and registers included, before the final norm.
   */
  hiddenStates(pixels: tf.Tensor4D): readonly tf.Tensor2D[] {
    return tf.tidy(() => {
      const states: tf.Tensor2D[] = [];
      const last = this.#run(pixels, this.config.depth, (passed) => states.push(passed));
      return [...states, last];
    });
  }

  /** The norm after the last block, for whoever wants it. `[R, width]`. */
  finalNorm(x: tf.Tensor2D): tf.Tensor2D {
    return this.#postNorm.call(x);
  }

  /** Rows in front of the patches of an image. */
  get #extraRows(): number {
    return (this.config.classToken ? 1 : 0) + this.config.registers;
  }

  get #drops(): boolean {
    return this.#extraRows > 0 && this.select === "patch";
  }

  #sizes(pixels: tf.Tensor4D): { grid: readonly [number, number]; images: number; rowsPerImage: number } {
    const [images, height, width, channels] = pixels.shape;
    const { patchSize } = this.config;
    if (pixels.shape.length !== 4 || channels !== 3 || height % patchSize !== 0 || width % patchSize !== 0) {
      throw new BasicError(
        "E_SHAPE",
        `encode: \`pixels\` must be [images, height, width, 3] with sides that are multiples of the patch size ${patchSize}, got ${formatShape(pixels.shape)}. Resize or crop the images.`,
      );
    }
    const grid = [height / patchSize, width / patchSize] as const;
    return { grid, images, rowsPerImage: grid[0] * grid[1] + this.#extraRows };
  }

  /** @param leave - Gets each hidden state that the next block has read. */
  #run(pixels: tf.Tensor4D, blocks: number, leave: (passed: tf.Tensor2D) => void): tf.Tensor2D {
    const { grid, images, rowsPerImage } = this.#sizes(pixels);
    const offsets = Int32Array.from({ length: images + 1 }, (_, i) => i * rowsPerImage);
    const rows = { queryOffsets: offsets, keyOffsets: offsets, causal: false, window: 0 };
    const embedded = this.#patches.call(pixels, grid);
    let x = embedded;
    if (this.#preNorm !== null) {
      x = this.#preNorm.call(embedded);
      embedded.dispose();
    }
    for (const block of this.#blocks.slice(0, blocks)) {
      const next = block.call(x, rows);
      leave(x);
      x = next;
    }
    return x;
  }

  /** Drops class and register rows where they are not wanted. */
  #selected(x: tf.Tensor2D, images: number): tf.Tensor2D {
    if (!this.#drops) return x;
    const perImage = x.shape[0] / images;
    const patches = Int32Array.from({ length: x.shape[0] }, (_, row) => row).filter(
      (row) => row % perImage >= this.#extraRows,
    );
    return gatherRows(x, patches);
  }
}

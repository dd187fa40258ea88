import * as tf from "@tensorflow/tfjs-core";

import type { Builder } from "../../layers/builder.js";
import { embed, spliceRows } from "../../layers/embedding.js";
import { applyLinear } from "../../layers/linear.js";
import type { Parameter } from "../../parameters.js";
import type { VitConfig } from "./config.js";
import { bicubicWeights } from "./interpolate.js";

/** Pixels to rows: patch product, class token, position embedding, registers. */
export class PatchEmbedding {
  readonly #config: VitConfig;
  readonly #weight: Parameter;
  readonly #bias: Parameter | null;
  readonly #positions: Parameter;
  readonly #class: Parameter | null;
  readonly #registers: Parameter | null;

  constructor(builder: Builder, config: VitConfig) {
    const { width, patchSize, imageSize, patchBias, classToken, registers } = config;
    const side = Math.floor(imageSize / patchSize);
    const places = side * side + (classToken ? 1 : 0);
    this.#config = config;
    // DINOv2 stores tokens and positions as batches of one.
    const isDino = config.names === "dinov2";
    const classShape = isDino ? [1, 1, width] : [width];
    this.#class = classToken ? builder.add("class_embedding", classShape, "embedding") : null;
    this.#weight = builder.add("patch_embedding.weight", [width, 3, patchSize, patchSize], "weight");
    this.#bias = patchBias ? builder.add("patch_embedding.bias", [width], "bias") : null;
    const table = isDino ? [1, places, width] : [places, width];
    this.#positions = builder.add("position_embedding.weight", table, "embedding");
    this.#registers =
      registers > 0 ? builder.add("register_tokens", [1, registers, width], "embedding") : null;
  }

  /**
   * @param pixels - `[B, H, W, 3]`.
   * @param grid - Rows and columns of patches.
   * @returns `[B · N, width]`, image by image, the class token first, then the registers.
   */
  call(pixels: tf.Tensor4D, grid: readonly [number, number]): tf.Tensor2D {
    const [images] = pixels.shape;
    const patches = grid[0] * grid[1];
    const products = this.#project(pixels, grid);
    const rows = this.#class === null ? products : this.#withClass(this.#class, products, images, patches);
    const perImage = rows.shape[0] / images;
    const ids = Int32Array.from({ length: rows.shape[0] }, (_, row) => row % perImage);
    const placed = tf.add<tf.Tensor2D>(rows, embed(this.#table(grid), ids));
    return this.#registers === null ? placed : this.#withRegisters(this.#registers, placed, images);
  }

  #project(pixels: tf.Tensor4D, [rows, columns]: readonly [number, number]): tf.Tensor2D {
    const { patchSize: p, width } = this.#config;
    const [images] = pixels.shape;
    // Rank 4 at most: [B · rows, p, columns, p · 3], then patches of (y, x, channel).
    const lines = tf.reshape(pixels, [images * rows, p, columns, p * 3]);
    const patches = tf.reshape(tf.transpose(lines, [0, 2, 1, 3]), [images * rows * columns, p * p * 3]);
    const byChannel = tf.reshape(this.#weight.value, [width, 3, p * p]);
    const weight = tf.reshape<tf.Rank.R2>(tf.transpose(byChannel, [0, 2, 1]), [width, p * p * 3]);
    return applyLinear(patches as tf.Tensor2D, {
      weight,
      bias: (this.#bias?.value as tf.Tensor1D | undefined) ?? null,
      trainable: this.#weight.trainable || this.#bias?.trainable === true,
    });
  }

  #withClass(token: Parameter, rows: tf.Tensor2D, images: number, patches: number): tf.Tensor2D {
    const ids = Int32Array.from({ length: images * (patches + 1) }, (_, row) => {
      const image = Math.floor(row / (patches + 1));
      return row % (patches + 1) === 0 ? 0 : -(row - image); // row − image − 1 is the patch, −1 − patch its id
    });
    return spliceRows(tf.reshape(token.value, [1, this.#config.width]), rows, ids);
  }

  /** Puts the registers behind the class token of each image. */
  #withRegisters(registers: Parameter, rows: tf.Tensor2D, images: number): tf.Tensor2D {
    const { registers: count, width, classToken } = this.#config;
    const [before, stored] = [classToken ? 1 : 0, rows.shape[0] / images];
    const perImage = stored + count;
    const ids = Int32Array.from({ length: images * perImage }, (_, row) => {
      const [image, place] = [Math.floor(row / perImage), row % perImage];
      if (place >= before && place < before + count) return place - before;
      return -1 - (image * stored + (place < before ? place : place - count));
    });
    return spliceRows(tf.reshape(registers.value, [count, width]), rows, ids);
  }

  /** Position embeddings for this grid, interpolated where it is not the one of training. */
  #table(grid: readonly [number, number]): tf.Tensor2D {
    const { imageSize, patchSize, classToken, width, antialias } = this.#config;
    const side = Math.floor(imageSize / patchSize);
    const table = tf.reshape<tf.Rank.R2>(this.#positions.value, [this.#positions.size / width, width]);
    if (grid[0] === side && grid[1] === side) return table;
    const weights = bicubicWeights([side, side], grid, { antialias });
    const skip = classToken ? 1 : 0;
    const [places, wanted] = [side * side + skip, grid[0] * grid[1] + skip];
    const matrix = new Float32Array(wanted * places);
    if (classToken) matrix[0] = 1;
    for (let row = 0; row < wanted - skip; row++) {
      const values = weights.subarray(row * side * side, (row + 1) * side * side);
      matrix.set(values, (row + skip) * places + skip);
    }
    return tf.matMul(tf.tensor2d(matrix, [wanted, places]), table);
  }
}

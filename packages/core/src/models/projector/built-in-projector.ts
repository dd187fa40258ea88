import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import { Builder, type RandomValueOptions, randomValues, type ValueSource } from "../../layers/builder.js";
import type { PatchGrid } from "../../layers/image-rows.js";
import type { Linear } from "../../layers/linear.js";
import { offsetsOf } from "../../offsets.js";
import { type Parameter, ParameterSet } from "../../parameters.js";
import type { ComponentOptions } from "../../registry.js";
import type { Grid, Projector, VisualRows } from "../interfaces.js";

/** Where a projector stands: what is the same for projectors of any kind. */
export interface ProjectorPlace {
  /** Width of the features. */
  readonly features: number;
  /** D, the LLM's width. */
  readonly width: number;
  /** Patches of the encoder's pictures, where they are all alike. `c-abstractor` has an embedding for each. */
  readonly patches?: readonly [height: number, width: number];
  /** V, where `vocabulary` itself is not at hand. */
  readonly vocabularySize?: number;
}

/** A place, and where first values come from. */
export interface ProjectorSetup extends ProjectorPlace {
  /** Seed of the first values. Default 0. */
  readonly seed?: number;
  /** First values; instead of `seed`. */
  readonly values?: ValueSource;
  /** E `[V, D]`: the LLM's embedding table, copied. The projector `vocabulary` needs it, or `values`. */
  readonly vocabulary?: tf.Tensor2D;
}

/** Rows of one image. */
export interface ImageRows {
  readonly grid: Grid;
  readonly rows: number;
}

/** A projector of ours: its name, its place and its options make it again. */
export abstract class BuiltInProjector implements Projector {
  /** As recipes write it. */
  readonly name: string;
  readonly place: ProjectorPlace;
  /** As recipes write them, defaults filled in: plain JSON. */
  readonly options: ComponentOptions;
  readonly parameters = new ParameterSet();

  protected constructor(name: string, place: ProjectorPlace, options: ComponentOptions) {
    const { features, width, patches, vocabularySize } = place;
    this.name = name;
    this.place = {
      features,
      width,
      ...(patches && { patches }),
      ...(vocabularySize !== undefined && { vocabularySize }),
    };
    this.options = options;
  }

  /** The product that alone reads the features: their statistics can be folded into it. Null where there is none. */
  abstract readonly input: Linear | null;

  /** Parameters that scale the rows: all of them times s makes the rows times s. Empty where there are none. */
  abstract readonly scaling: readonly Parameter[];

  abstract gridAfter(grid: Grid, rows: number): ImageRows;

  /** The visual embeddings of rows. May return `rows` itself. @param images - One per image, in order. */
  protected abstract compute(rows: tf.Tensor2D, images: readonly ImageRows[]): tf.Tensor2D;

  /** @throws {@link BasicError} `E_SHAPE` when an image's rows are no grid, or none of the right size. */
  project({ rows, offsets, grids }: VisualRows): VisualRows {
    const images = grids.map((grid, i) => ({ grid, rows: (offsets[i + 1] ?? 0) - (offsets[i] ?? 0) }));
    const after = images.map((image) => this.gridAfter(image.grid, image.rows));
    const isEmpty = after.every((image) => image.rows === 0);
    return {
      rows: tf.tidy(() => (isEmpty ? tf.zeros([0, this.place.width]) : this.compute(rows, images))),
      offsets: offsetsOf(after.map((image) => image.rows)),
      grids: after.map((image) => image.grid),
    };
  }

  /** A builder of the projector's parameters, with PyTorch's first values unless others are given. */
  protected builder({ seed = 0, values }: ProjectorSetup, options: RandomValueOptions = {}): Builder {
    return new Builder(this.parameters, values ?? randomValues(seed, { weight: "fan-in", ...options }));
  }
}

/** The grids of images that must have one. */
export function gridsOf(images: readonly ImageRows[]): readonly PatchGrid[] {
  return images.map(({ grid }) => grid as PatchGrid);
}

/** @throws {@link BasicError} `E_SHAPE` where rows are not the patches of a grid. */
export function requireGrid(projector: string, grid: Grid, rows: number): PatchGrid {
  if (grid !== null && grid[0] * grid[1] === rows) return grid;
  throw new BasicError(
    "E_SHAPE",
    `${projector}: needs a grid of patches, got ${describeGrid(grid)} and ${rows} rows. ` +
      "Leave the class token out, or use a projector that takes any rows, such as resampler.",
  );
}

/** For messages. */
export function describeGrid(grid: Grid): string {
  return grid === null ? "rows without a grid" : `${grid[0]} x ${grid[1]}`;
}

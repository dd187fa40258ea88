import type { Grid, HostVisualRows, ImageBatch } from "@basic-mllm/core";

import type { PictureTiles } from "./tiles.js";

/** Rows of an image before the projector, and how they stand. */
export interface ImageShape {
  /** Of a picture that is cut into tiles: those of each of them. */
  readonly rows: number;
  readonly grid: Grid;
  /** Where the picture is cut (`anyres`): the encoder then sees it whole, and its tiles. */
  readonly tiles?: PictureTiles;
}

/** What stands for images in a batch: features that were computed before, or pixels. By file name. */
export interface VisualStore {
  /** Rows of an image before the projector. Needs no device work. */
  shape(image: string): ImageShape;
  /** In the order given; an image may be asked for more than once. Of a picture that is cut: all that the encoder sees. */
  read(images: readonly string[]): Promise<HostVisualRows | ImageBatch>;
  /** Bytes by which the memory of this store will have grown once these images were read. Absent: it keeps nothing. */
  growth?(images: readonly string[]): number;
}

/** Mean and standard deviation of each feature channel over a set of images. */
export interface ChannelStatistics {
  readonly mean: Float32Array;
  readonly std: Float32Array;
}

/** Features with mean 0 and deviation 1 in each channel, over the images that the statistics come from. */
export function standardised(store: VisualStore, { mean, std }: ChannelStatistics): VisualStore {
  const scale = std.map((deviation) => (deviation > 0 ? 1 / deviation : 1));
  return {
    shape: (image) => store.shape(image),
    growth: (images) => store.growth?.(images) ?? 0,
    read: async (images) => {
      const read = await store.read(images);
      if ("pixels" in read) return read;
      const values = read.values.map((value, i) => {
        const channel = i % read.width;
        return (value - (mean[channel] as number)) * (scale[channel] as number);
      });
      return { ...read, values };
    },
  };
}

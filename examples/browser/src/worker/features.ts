import { createFeatureSource, type FeatureSource, type HostVisualRows, type Vit } from "@basic-mllm/core";
import {
  type ChannelStatistics,
  type ImageProcessor,
  type ImageShape,
  standardised,
  toImageBatch,
  type VisualStore,
} from "@basic-mllm/data";

import type { Picture } from "../protocol.js";

const AT_ONCE = 64;

/** Features of pictures that are in memory, as the frozen encoder gives them, each channel standardised. */
export class FeatureMaker {
  readonly #source: FeatureSource;
  readonly #processor: ImageProcessor;
  readonly #shape: ImageShape;
  #statistics: ChannelStatistics | null = null;

  private constructor(source: FeatureSource, processor: ImageProcessor, shape: ImageShape) {
    this.#source = source;
    this.#processor = processor;
    this.#shape = shape;
  }

  static async open(encoder: Vit, processor: ImageProcessor): Promise<FeatureMaker> {
    const source = await createFeatureSource(encoder, "page");
    const side = Math.floor(encoder.imageSize / encoder.config.patchSize);
    return new FeatureMaker(source, processor, { rows: side * side, grid: [side, side] });
  }

  get width(): number {
    return this.#source.width;
  }

  get shape(): ImageShape {
    return this.#shape;
  }

  /** Takes mean and deviation of each channel over the first `count` pictures of a set. */
  async measure(count: number, picture: (index: number) => Picture): Promise<void> {
    const sums = new Float64Array(this.width);
    const squares = new Float64Array(this.width);
    for (let start = 0; start < count; start += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - start) }, (_, i) => picture(start + i));
      const { values } = await this.#encode(some);
      for (const [i, value] of values.entries()) {
        const channel = i % this.width;
        sums[channel] = (sums[channel] ?? 0) + value;
        squares[channel] = (squares[channel] ?? 0) + value * value;
      }
    }
    const rows = count * this.#shape.rows;
    const mean = Float32Array.from(sums, (sum) => sum / rows);
    const std = Float32Array.from(squares, (sum, i) =>
      Math.sqrt(Math.max(0, sum / rows - ((sums[i] ?? 0) / rows) ** 2)),
    );
    this.#statistics = { mean, std };
  }

  /** Visual rows of these pictures by their names. */
  store(pictures: ReadonlyMap<string, Picture>): VisualStore {
    const plain: VisualStore = {
      shape: () => this.#shape,
      read: (names) => this.#encode(names.map((name) => required(pictures, name))),
    };
    return this.#statistics === null ? plain : standardised(plain, this.#statistics);
  }

  #encode(pictures: readonly Picture[]): Promise<HostVisualRows> {
    return this.#source.features(toImageBatch(pictures, this.#processor));
  }
}

function required(pictures: ReadonlyMap<string, Picture>, name: string): Picture {
  const picture = pictures.get(name);
  if (picture === undefined) throw new Error(`no picture ${name} was drawn`);
  return picture;
}

import type { VisionEncoder } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { worstDifference } from "./compare.js";
import { testPart } from "./part-suite.js";
import { type HostTensor, leakSince, normalTensor, startStockCpu, upload } from "./parts.js";

/** What {@link testEncoder} needs to know of a vision encoder. */
export interface EncoderSuite {
  readonly name: string;
  /** Makes a small one: every parameter is perturbed in double precision. */
  readonly create: () => VisionEncoder;
  /** Starts the backend; default: stock cpu with the references. */
  readonly start?: () => Promise<unknown>;
}

/** A vitest suite for a vision encoder: shapes, gradient (by finite differences), save and load, leaks. */
export function testEncoder({ name, create, start = startStockCpu }: EncoderSuite): void {
  describe(`vision encoder ${name}`, () => {
    const pixels = imagesFor(create);
    beforeAll(() => start());

    it("gives one group of rows for each image, as wide as it says", () => {
      const before = tf.memory();
      const encoder = create();
      const { rows, offsets, grids } = encode(encoder, upload(pixels()));
      expect(offsets.length).toBe(3);
      expect([offsets[0], offsets[2]]).toEqual([0, rows.shape[0]]);
      expect(rows.shape).toEqual([2 * (offsets[1] ?? 0), encoder.width]);
      expect(grids.length).toBe(2);
      for (const grid of grids) if (grid !== null) expect(grid[0] * grid[1]).toBe(offsets[1]);
      rows.dispose();
      encoder.parameters.dispose();
      expect(leakSince(before)).toBeUndefined();
    });

    it("encodes each image by itself", async () => {
      const encoder = create();
      const both = pixels();
      const [, ...size] = both.shape;
      const second = { ...both, shape: [1, ...size], values: both.values.slice(both.values.length / 2) };
      const [together, alone] = [both, second].map((images) => encode(encoder, upload(images)).rows);
      const expected = (await together?.data())?.slice((together?.size ?? 0) / 2) ?? [];
      const actual = (await alone?.data()) ?? [];
      expect(worstDifference(actual, expected, { absolute: 1e-5, relative: 1e-5 })).toBeUndefined();
      tf.dispose([together, alone]);
      encoder.parameters.dispose();
    });

    testPart<VisionEncoder>({
      create,
      // Made when the backend runs.
      get inputs() {
        return { pixels: pixels() };
      },
      output: (encoder, inputs) => tf.clone(encoder.encode(inputs["pixels"] as tf.Tensor4D).rows),
      gradientsTo: [],
    });
  });
}

/** Two images of the encoder's size. */
function imagesFor(create: () => VisionEncoder): () => HostTensor {
  let images: HostTensor | undefined;
  return () => {
    if (images !== undefined) return images;
    const { imageSize, parameters } = create();
    parameters.dispose();
    images = normalTensor([2, imageSize, imageSize, 3], "pixels");
    return images;
  };
}

function encode(encoder: VisionEncoder, pixels: tf.Tensor) {
  const encoded = encoder.encode(pixels as tf.Tensor4D);
  pixels.dispose();
  return encoded;
}

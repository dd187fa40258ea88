import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { registerStockGradients } from "../../gradients.js";
import { setFallback } from "../../kernels/run.js";
import { createRandom } from "../../random.js";
import { clipConfig, siglipConfig } from "./config.js";
import { createFeatureSource } from "./feature-source.js";
import { createVit, type Vit } from "./vit.js";

const sizes = { imageSize: 6, patchSize: 2, width: 8, depth: 2, heads: 2, inner: 12 };
let clip: Vit;

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
  clip = createVit(clipConfig(sizes), { seed: 1 });
});

afterAll(() => {
  clip.parameters.dispose();
});

function pixels(images: number, height = 6, width = 6): tf.Tensor4D {
  const values = createRandom(5, "pixels").fillNormal(new Float32Array(images * height * width * 3), 1);
  return tf.tensor4d(values, [images, height, width, 3]);
}

describe("encode", () => {
  it("gives one row per patch and the grid of each image", () => {
    const { rows, offsets, grids } = clip.encode(pixels(2));
    expect(rows.shape).toEqual([18, 8]);
    expect([[...offsets], grids]).toEqual([
      [0, 9, 18],
      [
        [3, 3],
        [3, 3],
      ],
    ]);
  });

  it("keeps the class token in front when it is asked to", () => {
    const encoder = createVit(clipConfig(sizes), { seed: 1, select: "cls_patch" });
    const { rows, offsets, grids } = encoder.encode(pixels(1));
    expect([rows.shape, [...offsets], grids]).toEqual([[10, 8], [0, 10], [null]]);
    expect(tf.slice(rows, [1, 0]).dataSync()).toEqual(clip.encode(pixels(1)).rows.dataSync());
    encoder.parameters.dispose();
  });

  it("gives images the same features alone as together", () => {
    const two = pixels(2);
    const together = clip.encode(two).rows.dataSync();
    const alone = clip.encode(tf.slice(two, [1, 0, 0, 0])).rows.dataSync();
    expect(alone).toEqual(together.slice(alone.length));
  });

  it("takes the second last block's output and never runs the last block", () => {
    const before = clip.encode(pixels(1)).rows.dataSync();
    const weight = clip.parameters.get("vision_model.encoder.layers.1.mlp.fc2.weight");
    weight.assign(tf.fill([...weight.shape], Number.NaN));
    expect(clip.encode(pixels(1)).rows.dataSync()).toEqual(before);
    weight.assign(tf.zeros([...weight.shape]));
  });

  it("holds two hidden states at a time, and all of them only where all are asked for", () => {
    const deep = createVit(clipConfig({ ...sizes, depth: 6 }), { seed: 1, layer: -1 });
    const shallow = createVit(clipConfig(sizes), { seed: 1, layer: -1 });
    const input = pixels(1);
    const peakOf = (vit: Vit): number => {
      const before = tf.memory().numTensors;
      let peak = 0;
      const { engine } = { engine: tf.engine() };
      const track = engine.trackTensor.bind(engine);
      engine.trackTensor = (...args) => {
        track(...args);
        peak = Math.max(peak, tf.memory().numTensors - before);
      };
      try {
        vit.encode(input).rows.dispose();
      } finally {
        engine.trackTensor = track;
      }
      return peak;
    };
    expect(peakOf(deep)).toBe(peakOf(shallow));
    expect(tf.tidy(() => deep.hiddenStates(input).map(({ shape }) => shape))).toEqual(
      new Array(7).fill([10, 8]),
    );
    deep.parameters.dispose();
    shallow.parameters.dispose();
  });

  it("interpolates position embeddings for images of another size", () => {
    const { rows, grids } = clip.encode(pixels(1, 4, 10));
    expect([rows.shape, grids]).toEqual([[10, 8], [[2, 5]]]);
  });

  it("explains pixels that do not split into patches", () => {
    expect(() => clip.encode(pixels(1, 5, 6))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: encode: \`pixels\` must be [images, height, width, 3] with sides that are multiples of the patch size 2, got [1, 5, 6, 3]. Resize or crop the images. [E_SHAPE]]`,
    );
  });

  it("leaks no tensors", () => {
    const input = pixels(2);
    const before = tf.memory().numTensors;
    clip.encode(input).rows.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("createVit", () => {
  it("has no class token, pre-norm or last-row selection in SigLIP's shape", () => {
    const siglip = createVit(siglipConfig(sizes));
    const names = [...siglip.parameters].map(({ name }) => name).filter((name) => !name.includes("layers"));
    expect(names).toEqual([
      "vision_model.embeddings.patch_embedding.weight",
      "vision_model.embeddings.patch_embedding.bias",
      "vision_model.embeddings.position_embedding.weight",
      "vision_model.post_layernorm.weight",
      "vision_model.post_layernorm.bias",
    ]);
    expect(siglip.encode(pixels(1)).rows.shape).toEqual([9, 8]);
    siglip.parameters.dispose();
  });

  it("refuses layers that do not exist and a class token that is not there", () => {
    expect(() => createVit(clipConfig(sizes), { layer: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createVit: \`layer\` 3 is not a hidden state of 2 blocks. Use 0 to 2, or -1 to -3. [E_CONFIG]]`,
    );
    expect(() => createVit(siglipConfig(sizes), { select: "cls_patch" })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createVit: \`select\` is "cls_patch", but this encoder has no class token. Use "patch". [E_CONFIG]]`,
    );
  });

  it("refuses sizes that do not fit together", () => {
    expect(() => clipConfig({ ...sizes, heads: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: VitConfig: width 8 cannot be split into 3 heads. Make it a multiple. [E_CONFIG]]`,
    );
    expect(() => clipConfig({ ...sizes, patchSize: 8 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: VitConfig: an image of 6 pixels holds no patch of 8. [E_CONFIG]]`,
    );
    expect(() => clipConfig({ ...sizes, depth: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: VitConfig: \`depth\` must be a positive whole number, got 1.5. Set it to that of the model's weights. [E_CONFIG]]`,
    );
  });
});

describe("createFeatureSource", () => {
  it("gives the encoder's features on the host, and another id when weights change", async () => {
    const source = await createFeatureSource(clip, "layer-2");
    const input = pixels(2);
    const values = (await input.data<"float32">()).slice();
    const features = await source.features({ pixels: values, shape: [2, 6, 6, 3] });
    expect(features.values).toEqual(clip.encode(input).rows.dataSync());
    expect([source.width, features.width, [...features.offsets]]).toEqual([8, 8, [0, 9, 18]]);
    expect(source.imageSize).toBe(6);
    const other = createVit(clipConfig(sizes), { seed: 9 });
    expect((await createFeatureSource(other, "layer-2")).id).not.toBe(source.id);
    expect((await createFeatureSource(clip, "layer-2")).id).toBe(source.id);
    other.parameters.dispose();
  });
});

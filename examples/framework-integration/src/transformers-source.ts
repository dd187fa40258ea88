import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { BasicError, type FeatureSource, type HostVisualRows, type ImageBatch } from "@basic-mllm/core";
import { env, SiglipVisionModel, Tensor } from "@huggingface/transformers";

/** What the model's `config.json` says of its encoder. */
type VisionConfig = Readonly<Record<(typeof FIELDS)[number], number>>;

const FIELDS = ["image_size", "patch_size", "hidden_size"] as const;

/**
 * Frozen features of a vision model that transformers.js runs, as a feature source of core.
 *
 * @param folder - A model folder in the hub's layout, on disk: `config.json`, `onnx/vision_model.onnx`. Nothing is
 *   downloaded.
 * @throws `BasicError` `E_CONFIG` where `config.json` does not say the sizes.
 */
export async function openTransformersSource(folder: string): Promise<FeatureSource> {
  env.allowRemoteModels = false;
  const model = await SiglipVisionModel.from_pretrained(folder, { dtype: "fp32", device: "cpu" });
  const { hidden_size, image_size, patch_size } = visionConfig(model.config, folder);
  // Of 384 pixels, patches of 14 leave six at the border unseen.
  const side = Math.floor(image_size / patch_size);
  const weights = await readFile(join(folder, "onnx", "vision_model.onnx"));
  return {
    id: `transformers-js-${createHash("sha256").update(weights).digest("hex").slice(0, 16)}`,
    width: hidden_size,
    imageSize: image_size,
    features: async (images) => {
      const pixelValues = new Tensor("float32", toChannelsFirst(images), channelsFirstShape(images));
      const { last_hidden_state } = await model({ pixel_values: pixelValues });
      return toRows(last_hidden_state, side);
    },
  };
}

/** The rows `[images · side², width]` of `last_hidden_state` `[images, side², width]`. */
function toRows(hidden: Tensor, side: number): HostVisualRows {
  const [images = 0, rows = 0, width = 0] = hidden.dims;
  return {
    values: Float32Array.from(hidden.data as Float32Array),
    width,
    offsets: Int32Array.from({ length: images + 1 }, (_, i) => i * rows),
    grids: Array.from({ length: images }, () => [side, side] as const),
  };
}

/** Pixels of core are `[B, H, W, 3]`; ONNX models want `[B, 3, H, W]`. */
function toChannelsFirst({ pixels, shape: [images, height, width] }: ImageBatch): Float32Array {
  const area = height * width;
  return Float32Array.from({ length: images * 3 * area }, (_, i) => {
    const [image, channel, at] = [Math.floor(i / (3 * area)), Math.floor(i / area) % 3, i % area];
    return pixels[(image * area + at) * 3 + channel] as number;
  });
}

function channelsFirstShape({ shape: [images, height, width] }: ImageBatch): number[] {
  return [images, 3, height, width];
}

/** Some folders of the hub leave out what is the default of transformers. */
function visionConfig(config: unknown, folder: string): VisionConfig {
  const { vision_config = {} } = config as { readonly vision_config?: Partial<VisionConfig> };
  const missing = FIELDS.filter((field) => typeof vision_config[field] !== "number");
  if (missing.length === 0) return vision_config as VisionConfig;
  throw new BasicError(
    "E_CONFIG",
    `${join(folder, "config.json")}: vision_config has no ${missing.join(", ")}, expected numbers. Write them into the file; for google/siglip-base-patch16-224 they are 224, 16 and 768.`,
  );
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import "@tensorflow/tfjs-backend-cpu";
import {
  addImageNewline,
  clipConfig,
  createDecoder,
  createProjector,
  createRandom,
  createVit,
  decoderConfig,
  dinov2Config,
  type ProjectorOptions,
  siglipConfig,
  type VitConfig,
  type VitOptions,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { openGguf } from "./file.js";
import { projectorContents } from "./projector-contents.js";
import { writeGguf } from "./write.js";

const sizes = { imageSize: 16, patchSize: 8, width: 8, depth: 3, heads: 2, inner: 12 };
const normalise = { mean: [0.5, 0.4, 0.3], std: [0.1, 0.2, 0.3] } as const;

let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  folder = mkdtempSync(join(tmpdir(), "mmproj-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Choice {
  readonly vision?: VitConfig;
  readonly options?: VitOptions;
  readonly projector?: string;
  readonly projectorOptions?: Partial<ProjectorOptions>;
}

function modelOf({ vision = siglipConfig(sizes), options = {}, projector = "mlp2x_gelu", ...rest }: Choice) {
  return {
    vision: createVit(vision, options),
    projector: createProjector(projector, { features: 8, width: 6, ...rest.projectorOptions }),
    language: createDecoder(decoderConfig({ vocabularySize: 5, width: 6, depth: 1, heads: 1, inner: 8 })),
  };
}

function dispose({ vision, projector, language }: ReturnType<typeof modelOf>): void {
  for (const { parameters } of [vision, projector, language]) parameters.dispose();
}

async function written(choice: Choice, type: "F32" | "F16" | "BF16" = "F32") {
  const model = modelOf(choice);
  const path = join(folder, "mmproj.gguf");
  await writeGguf(path, projectorContents(model, { type, name: "test", ...normalise }));
  return { model, file: await openGguf(path) };
}

describe("projectorContents", () => {
  it("writes a SigLIP encoder up to the features' layer, and the projector", async () => {
    const { model, file } = await written({});
    expect(Object.fromEntries(file.metadata)).toMatchSnapshot();
    expect(file.names.map((name) => `${name} ${file.entry(name).shape.join("x")}`)).toMatchSnapshot();
    const same = async (gguf: string, own: typeof model.vision, name: string): Promise<void> => {
      expect(file.floats(gguf)).toEqual(await own.parameters.get(name).floats());
    };
    await same("v.patch_embd.weight", model.vision, "vision_model.embeddings.patch_embedding.weight");
    await same("v.blk.1.ffn_up.weight", model.vision, "vision_model.encoder.layers.1.mlp.fc1.weight");
    expect(file.floats("mm.2.weight")).toEqual(
      await model.projector.parameters.get("linear_2.weight").floats(),
    );
    file.close();
    dispose(model);
  });

  it("writes CLIP's class token, first norm and quick GELU", async () => {
    const { model, file } = await written({ vision: clipConfig(sizes), options: { layer: -1 } }, "BF16");
    expect(file.metadata.get("clip.use_gelu")).toBe(false);
    expect(file.metadata.get("clip.vision.block_count")).toBe(3);
    expect(file.entry("v.class_embd").shape).toEqual([8]);
    expect(file.has("v.pre_ln.bias")).toBe(true);
    expect(file.has("v.post_ln.weight")).toBe(false);
    expect(file.entry("v.patch_embd.weight").type).toBe("F32");
    expect(file.entry("v.blk.0.attn_q.weight").type).toBe("BF16");
    file.close();
    dispose(model);
  });

  it("gives a projector without biases zeros", async () => {
    const { model, file } = await written({ projectorOptions: { bias: false } }, "F16");
    expect([...file.floats("mm.0.bias")]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(file.entry("mm.0.weight").type).toBe("F16");
    file.close();
    dispose(model);
  });

  it.each<readonly [string, Choice]>([
    ["DINOv2", { vision: dinov2Config(sizes) }],
    ["features with the class token", { vision: clipConfig(sizes), options: { select: "cls_patch" } }],
    ["features before the first block", { options: { layer: 0 } }],
    ["an inner width that looks swapped", { vision: siglipConfig({ ...sizes, inner: 8 }) }],
    ["an encoder without an activation", { vision: siglipConfig({ ...sizes, activation: "none" }) }],
    ["one product", { projector: "linear" }],
    ["three products", { projector: "mlp3x_gelu" }],
    ["a pixel shuffle", { projector: "pixel-shuffle" }],
    ["a norm after the projector", { projectorOptions: { outputNorm: { rms: 1 } } }],
  ])("refuses %s", (_, choice) => {
    const model = modelOf(choice);
    expect(() =>
      projectorContents(model, { type: "F32", name: "test", ...normalise }),
    ).toThrowErrorMatchingSnapshot();
    dispose(model);
  });

  it("refuses a model whose pictures are cut into tiles", () => {
    const model = modelOf({});
    addImageNewline(model.projector, 6, createRandom(1));
    expect(() =>
      projectorContents(model, { type: "F32", name: "test", ...normalise }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: llama.cpp's mmproj file cannot hold this model: a picture must be one image, got tiles (anyres). Export it to a Hugging Face folder instead, or train it with model.imageAspectRatio pad or square. [E_CONFIG]]`,
    );
    dispose(model);
  });
});

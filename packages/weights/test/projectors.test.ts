import "@tensorflow/tfjs-backend-cpu";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type BuiltInProjector,
  clipConfig,
  createDecoder,
  createProjector,
  createVit,
  decoderConfig,
  setFallback,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type LlavaModel, loadLlava, saveHuggingFace } from "../src/index.js";

let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

const kinds = {
  mlp2x_gelu: { bias: false },
  "pixel-shuffle": { outputNorm: { rms: 0.5 } },
  "gelu-mlp": {},
  "fused-gelu-mlp": {},
  ldp: {},
  ldpv2: { pool: [3, 2] },
  "c-abstractor": { pool: [2, 2], depth: 1, hidden: 4 },
  resampler: { queries: 3, depth: 1, heads: 2, headWidth: 2 },
  vocabulary: { tokens: [1, 2, 5], hidden: 4 },
} as const;

function makeLlava(name: string, options: object): LlavaModel {
  const vision = createVit(
    clipConfig({ imageSize: 16, patchSize: 4, width: 6, depth: 1, heads: 2, inner: 8 }),
    { layer: -1 },
  );
  const language = createDecoder(
    decoderConfig({ vocabularySize: 9, width: 8, depth: 1, heads: 2, inner: 12 }),
  );
  const { vocabulary } = language;
  const projector = createProjector(name, {
    ...options,
    features: 6,
    width: 8,
    patches: [4, 4],
    vocabulary,
    seed: 4,
  });
  const config = {
    vision: vision.config,
    language: language.config,
    projector: { name, options: projector.options },
    featureLayer: -1,
    featureSelection: "patch",
    imageTokenId: 8,
  } as const;
  return { kind: "llava", vision, projector, language, config };
}

const embed = (projector: BuiltInProjector) =>
  tf.tidy(() => {
    const rows = tf.tensor2d(
      Array.from({ length: 96 }, (_, i) => Math.sin(i)),
      [16, 6],
    );
    return projector.project({ rows, offsets: Int32Array.of(0, 16), grids: [[4, 4]] }).rows.dataSync();
  });

const configOf = async () =>
  JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>;

describe.each(Object.entries(kinds))("a LLaVA with the projector %s", (name, options) => {
  it("comes back from its folder with name and options, and projects to the same bits", async () => {
    const model = makeLlava(name, options);
    await saveHuggingFace(folder, model);
    const loaded = await loadLlava(folder);
    const isLlava = ["mlp2x_gelu", "gelu-mlp"].includes(name);
    expect([loaded.projector.name, loaded.projector.options]).toEqual([
      isLlava ? "mlp2x_gelu" : name,
      model.projector.options,
    ]);
    expect(embed(loaded.projector)).toEqual(embed(model.projector));
    const { basic_projector, image_seq_length } = await configOf();
    expect(basic_projector).toEqual(isLlava ? undefined : { name, options: model.projector.options });
    expect(image_seq_length).toBe(model.projector.gridAfter([4, 4], 16).rows);
  });
});

describe("a folder whose projector cannot be made", () => {
  it("names the projector or the option", async () => {
    await saveHuggingFace(folder, makeLlava("ldpv2", { pool: [2, 2] }));
    const config = await configOf();
    const load = async (projector: object) => {
      await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, basic_projector: projector }));
      return loadLlava(folder);
    };
    await expect(load({ name: "ldpv3", options: {} })).rejects.toThrow(/no projector "ldpv3".*"ldpv2"/);
    await expect(load({ name: "ldpv2", options: { pools: [2, 2] } })).rejects.toThrow(
      /Options of the projector "ldpv2" are not valid.*Unrecognized key: "pools"/s,
    );
    await expect(load({ name: "ldpv2", options: { pool: [2, 2] }, depth: 3 })).rejects.toThrow(/`depth`/);
  });

  it("reads the fields that folders had before options", async () => {
    await saveHuggingFace(folder, makeLlava("pixel-shuffle", { outputNorm: { rms: 0.5 }, factor: 4 }));
    const config = await configOf();
    const earlier = { name: "pixel-shuffle", bias: false, factor: 4, output_rms: 0.5 };
    await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, basic_projector: earlier }));
    const { projector } = await loadLlava(folder);
    expect(projector.options).toEqual({ bias: false, factor: 4, outputNorm: { rms: 0.5 } });
  });
});

// Checkpoints of the golden models in every form that we write, and in every storage that we load into.
import "@tensorflow/tfjs-backend-cpu";
import { copyFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createDecoder, type Decoder, decoderConfig, type ParameterSet, setFallback } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  type FloatDType,
  type HuggingFaceModel,
  type LoadOptions,
  loadHuggingFace,
  loadLlava,
  openSafetensors,
  openWeights,
  type SaveOptions,
  saveHuggingFace,
} from "../src/index.js";
import { Comparison, type GoldenCase, golden, modelCases, openCase } from "./golden.js";
import { packCase, valuesOf } from "./packed-case.js";

let scratch: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
  scratch = await mkdtemp(join(tmpdir(), "forms-"));
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

/** A third of a model's values in F16, so that it has several shards in any type. */
function thirdOf(path: string): number {
  const weights = openWeights(path);
  const shapes = weights.names.map((name) => weights.entry(name).shape);
  weights.close();
  const values = shapes.map((shape) => shape.reduce((size, dimension) => size * dimension, 1));
  return Math.ceil((2 / 3) * values.reduce((sum, count) => sum + count, 0));
}

/** Bytes, which compare faster than values. */
function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function partsOf(model: HuggingFaceModel): readonly ParameterSet[] {
  if (model.kind === "language") return [model.language.parameters];
  if (model.kind === "vision") return [model.vision.parameters];
  return [model.vision.parameters, model.projector.parameters, model.language.parameters];
}

/** Writes a golden model again and returns the folder. */
async function rewritten(path: string, options: SaveOptions): Promise<string> {
  const folder = await mkdtemp(join(scratch, "model-"));
  const model = await loadHuggingFace(path);
  await saveHuggingFace(folder, model, options);
  for (const parameters of partsOf(model)) parameters.dispose();
  return folder;
}

async function languageOf(folder: string, options: LoadOptions = {}): Promise<Decoder> {
  const model = await loadHuggingFace(folder, options);
  if (model.kind !== "language") throw new Error(`${folder} is a ${model.kind} model`);
  return model.language;
}

/** Which outputs of a golden language model are out of its tolerance. */
function failuresOf(model: Decoder, testCase: GoldenCase): readonly string[] {
  const data = openCase(testCase);
  const comparison = new Comparison(data, testCase.tol);
  tf.tidy(() => {
    const { packed, rows } = packCase(data, testCase.lengths ?? []);
    const input = { packed, visual: null };
    for (const [i, state] of model.hiddenStates(input).entries()) {
      comparison.check(`out.hidden_states.${i}`, state, valuesOf(rows, model.width));
    }
    const logits = model.logits(model.forward(input).hidden);
    comparison.check("out.logits", logits, valuesOf(rows, model.vocabularySize));
  });
  data.close();
  return comparison.failures;
}

const isExact = (name: string, dtype: FloatDType): boolean =>
  dtype === "F32" || name === { BF16: "llama_bf16", F16: "llama_fp16" }[dtype];

const language = modelCases("llm").flatMap((testCase) =>
  (["F32", "BF16", "F16"] as const)
    .filter((dtype) => isExact(testCase.name, dtype))
    .map((dtype) => [testCase.name, dtype, testCase] as const),
);

describe("a language model written in shards", () => {
  it.each(language)("%s as %s has the golden hidden states and logits", async (_, dtype, testCase) => {
    const folder = await rewritten(testCase.path, { dtype, maxShardSize: thirdOf(testCase.path) });
    const files = await readdir(folder);
    expect(files).toContain("model.safetensors.index.json");
    expect(files.filter((name) => name.endsWith(".safetensors")).length).toBeGreaterThan(1);
    const model = await languageOf(folder);
    expect(failuresOf(model, testCase)).toEqual([]);
    model.parameters.dispose();
  });
});

const others = [
  ...modelCases("vision").map(({ name, path }) => [name, path] as const),
  ...["checkpoint", "checkpoint_siglip_qwen2"].map((name) => [name, join(golden, "llava", name)] as const),
];

describe("a vision tower or LLaVA", () => {
  it.each(others)("%s reads back from shards bit for bit", async (_, path) => {
    const [one, many] = [await rewritten(path, {}), await rewritten(path, { maxShardSize: thirdOf(path) })];
    const [whole, shards] = [openWeights(one), openWeights(many)];
    expect([...shards.names].sort()).toEqual([...whole.names].sort());
    for (const name of whole.names) {
      expect(bytesOf(shards.floats(name)).equals(bytesOf(whole.floats(name))), name).toBe(true);
    }
    const again = await rewritten(many, {});
    const file = "model.safetensors";
    expect((await readFile(join(again, file))).equals(await readFile(join(one, file)))).toBe(true);
    for (const weights of [whole, shards]) weights.close();
  });
});

const bf16 = modelCases("llm").find(({ name }) => name === "llama_bf16") as GoldenCase;

const f16 = modelCases("llm").find(({ name }) => name === "llama_fp16") as GoldenCase;

describe.each([
  ["bf16", bf16, "BF16"],
  ["f16", f16, "F16"],
] as const)("a checkpoint in %s", (own, testCase, dtype) => {
  it.each([own, "file"] as const)("has the golden logits where it is kept as %s", async (storage) => {
    const model = await languageOf(testCase.path, { storage });
    expect(failuresOf(model, testCase)).toEqual([]);
    const stored = (name: string) => model.parameters.get(name).storage;
    expect(stored("model.layers.0.mlp.down_proj.weight")).toBe(own);
    expect(["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"].map(stored)).toEqual(
      Array(3).fill("f32"),
    );
    const folder = await mkdtemp(join(scratch, "again-"));
    await saveHuggingFace(folder, { kind: "language", language: model }, { dtype });
    const [theirs, ours] = [testCase.path, folder].map((path) =>
      openSafetensors(join(path, "model.safetensors")),
    );
    for (const name of ours?.names ?? []) expect(ours?.floats(name)).toEqual(theirs?.floats(name));
    expect(ours?.names.length).toBe(theirs?.names.length);
    for (const file of [theirs, ours]) file?.close();
    model.parameters.dispose();
  });
});

describe("the storage of a model", () => {
  const phi3 = modelCases("llm").find(({ name }) => name === "phi3") as GoldenCase;

  it("reads parts of fused matrices like whole ones", async () => {
    for (const storage of ["f32", "bf16", "f16", "q8_0", "q4_0", "q4_1"] as const) {
      const [fused, apart] = await Promise.all(
        [phi3.path, await rewritten(phi3.path, { maxShardSize: thirdOf(phi3.path) })].map((path) =>
          languageOf(path, { storage }),
        ),
      );
      for (const parameter of fused?.parameters ?? []) {
        const same = apart?.parameters.get(parameter.name);
        expect([parameter.storage, await parameter.floats()]).toEqual([same?.storage, await same?.floats()]);
      }
      for (const model of [fused, apart]) model?.parameters.dispose();
    }
  });

  it.each([
    ["f16", 2 ** -11],
    ["q8_0", 1 / 127],
    ["q4_0", 1 / 4],
    ["q4_1", 2 / 15],
  ] as const)("%s rounds the matrices of the blocks within a step", async (storage, step) => {
    const [exact, rounded] = [await languageOf(bf16.path), await languageOf(bf16.path, { storage })];
    const blocks = new Set<string>();
    for (const parameter of rounded.parameters) {
      const values = await exact.parameters.get(parameter.name).floats();
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const errors = (await parameter.floats()).map((value, i) => Math.abs(value - (values[i] as number)));
      expect(Math.max(...errors)).toBeLessThanOrEqual(parameter.storage === "f32" ? 0 : step * largest);
      if (parameter.name.endsWith("_proj.weight")) blocks.add(parameter.storage);
    }
    expect([...blocks]).toEqual([storage]);
    for (const { parameters } of [exact, rounded]) parameters.dispose();
  });

  it("is bf16 for rows that hold no whole blocks of 32", async () => {
    const config = decoderConfig({ vocabularySize: 7, width: 32, depth: 1, heads: 2, inner: 48 });
    const folder = await mkdtemp(join(scratch, "odd-"));
    await saveHuggingFace(folder, { kind: "language", language: createDecoder(config) });
    const model = await languageOf(folder, { storage: "q8_0" });
    const storageOf = (name: string) => model.parameters.get(`model.layers.0.mlp.${name}.weight`).storage;
    expect(["up_proj", "down_proj"].map(storageOf)).toEqual(["q8_0", "bf16"]);
    model.parameters.dispose();
  });

  it("is named with the tensor where it cannot hold a value", async () => {
    const config = decoderConfig({ vocabularySize: 7, width: 32, depth: 1, heads: 2, inner: 32 });
    const language = createDecoder(config);
    const up = language.parameters.get("model.layers.0.mlp.up_proj.weight");
    up.assign(tf.fill(up.shape as [number, number], -1e5));
    const folder = await mkdtemp(join(scratch, "large-"));
    await saveHuggingFace(folder, { kind: "language", language });
    language.parameters.dispose();
    const error = await languageOf(folder, { storage: "f16" }).catch((caught: Error) => caught);
    expect(String(error).replaceAll(folder, "…")).toMatchInlineSnapshot(
      `"BasicError: …/model.safetensors: tensor "model.layers.0.mlp.up_proj.weight" holds values beyond 65504, the largest number of half precision (f16). Choose another \`storage\`: bf16, file or f32. [E_CONFIG]"`,
    );
  });

  it("leaves a LLaVA's projector trainable", async () => {
    const model = await loadHuggingFace(join(golden, "llava", "checkpoint"), { storage: "bf16" });
    if (model.kind !== "llava") throw new Error("no LLaVA");
    const storages = partsOf(model).map((set) => new Set([...set].map(({ storage }) => storage)));
    expect(storages.map((set) => [...set].sort())).toEqual([["bf16", "f32"], ["f32"], ["bf16", "f32"]]);
    for (const set of partsOf(model)) set.dispose();
  });
});

it("refuses another kind of model by its config, before its weights are looked for", async () => {
  const folder = await mkdtemp(join(scratch, "kind-"));
  await copyFile(join(golden, "models", "siglip", "config.json"), join(folder, "config.json"));
  const refusal = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "",
      (error: Error) => error.message.replaceAll(folder, "…"),
    );
  expect(await refusal(loadHuggingFace(folder, { kinds: ["language", "llava"] }))).toMatchInlineSnapshot(
    `"… holds a vision model, expected a language or llava model. Name another folder. [E_CONFIG]"`,
  );
  expect(await refusal(loadLlava(folder))).toMatchInlineSnapshot(
    `"… holds a vision model, expected a llava model. Name another folder. [E_CONFIG]"`,
  );
  expect(await refusal(loadHuggingFace(folder, { kinds: ["vision"] }))).toContain("E_WEIGHTS_MISSING");
});

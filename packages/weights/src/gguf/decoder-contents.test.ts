import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import "@tensorflow/tfjs-backend-cpu";
import { createDecoder, type DecoderConfig, decoderConfig } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { decoderContents } from "./decoder-contents.js";
import { strings } from "./field-values.js";
import { openGguf } from "./file.js";
import { loadGguf } from "./load.js";
import { writeGguf, writtenTypes } from "./write.js";

const sizes = {
  vocabularySize: 7,
  width: 64,
  depth: 2,
  heads: 4,
  keyValueHeads: 2,
  inner: 96,
  positions: 128,
};
const gemma = { activation: "gelu-tanh", normAddOne: true, embeddingScale: 8, tiedHead: true } as const;
const rotary = { base: 500_000, width: 16 } as const;
const llama3 = {
  kind: "llama3",
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalPositions: 64,
} as const;
const tokenizer = { "tokenizer.ggml.tokens": strings(["a", "b", "c", "d", "e", "f", "g"]) };

const models: Readonly<Record<string, Partial<DecoderConfig>>> = {
  llama: {},
  "llama with wide heads": { headWidth: 32, rotary: { base: 10_000, width: 32, scaling: null } },
  "llama with biases": { inputBias: true, outputBias: true, mlpBias: true },
  "llama with linear scaling": { rotary: { ...rotary, scaling: { kind: "linear", factor: 4 } } },
  phi3: { fusedProducts: true, windows: [16, 16] },
  "phi3 with longrope": {
    fusedProducts: true,
    tiedHead: true,
    rotary: {
      base: 10_000,
      width: 8,
      scaling: {
        kind: "longrope",
        shortFactors: [1, 1.25, 1.5, 2],
        longFactors: [1, 2, 4, 8.5],
        originalPositions: 64,
        attentionFactor: 1.25,
      },
    },
  },
  qwen2: { inputBias: true, tiedHead: true },
  qwen3: { headNorm: true, headWidth: 32, rotary: { base: 1e6, width: 32, scaling: null } },
  gemma,
  gemma2: { ...gemma, sandwichNorms: true, attentionSoftcap: 50, headSoftcap: 30, windows: [16, 0] },
};

let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  folder = mkdtempSync(join(tmpdir(), "gguf-out-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("decoderContents", () => {
  it.each(Object.entries(models))("is read back as it was: %s", async (name, fields) => {
    const config = decoderConfig({ ...sizes, ...fields });
    const decoder = createDecoder(config, { seed: 3 });
    const path = join(folder, "model.gguf");
    await writeGguf(path, decoderContents(decoder, { type: "F32", name, tokenizer }));
    const { language } = await loadGguf(path);
    const { rotary: turned, ...same } = language.config;
    const windows = config.windows.map((window) => (window >= config.positions ? 0 : window));
    expect({ ...same, normEpsilon: 1e-5 }).toEqual({
      ...config,
      windows,
      rotary: undefined,
    });
    expect(turned).toEqual(config.rotary);
    for (const parameter of decoder.parameters) {
      const read = await language.parameters.get(parameter.name).floats();
      const [a, b] = [[...read], [...(await parameter.floats())]];
      // Gemma's norms are stored plus one.
      if (config.normAddOne && parameter.name.endsWith("norm.weight")) {
        expect(Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))))).toBeLessThan(1e-6);
      } else expect(a, parameter.name).toEqual(b);
    }
    language.parameters.dispose();
    decoder.parameters.dispose();
  });

  it("gives Llama 3's frequencies by factors", async () => {
    const config = decoderConfig({ ...sizes, rotary: { ...rotary, scaling: llama3 } });
    const decoder = createDecoder(config);
    const path = join(folder, "llama3.gguf");
    await writeGguf(path, decoderContents(decoder, { type: "F16", name: "llama3", tokenizer }));
    const { language } = await loadGguf(path);
    const read = language.config.rotary.scaling;
    const factors = read?.kind === "longrope" ? read.shortFactors : [];
    // Wavelengths of 6, 32 and more than 166 positions: kept, blended, divided by 8.
    expect(factors.map((factor) => factor.toFixed(3))).toEqual([
      "1.000",
      "2.442",
      ...Array.from({ length: 6 }, () => "8.000"),
    ]);
    language.parameters.dispose();
    decoder.parameters.dispose();
  });

  it.each(writtenTypes)("stores matrices as %s and vectors as F32", async (type) => {
    const decoder = createDecoder(decoderConfig({ ...sizes, ...models["qwen2"] }));
    const path = join(folder, "typed.gguf");
    await writeGguf(path, decoderContents(decoder, { type, name: "typed", tokenizer }));
    const file = await openGguf(path);
    for (const name of file.names) {
      const { shape, type: stored } = file.entry(name);
      expect(stored, name).toBe(shape.length === 1 ? "F32" : type);
    }
    expect(file.metadata.get("general.architecture")).toBe("qwen2");
    file.close();
    decoder.parameters.dispose();
  });

  it.each<readonly [string, Partial<DecoderConfig>]>([
    ["a window", { windows: [16, 16] }],
    ["Gemma's activation in a llama", { activation: "gelu-tanh" }],
    ["a cap on logits", { headSoftcap: 30 }],
    ["another scale of scores", { attentionScale: 1 }],
    ["a part of each head turned", { rotary: { base: 1e4, width: 8, scaling: null } }],
    ["windows in some blocks of a phi3", { fusedProducts: true, windows: [16, 0] }],
    ["biases in a phi3", { fusedProducts: true, inputBias: true }],
    ["Llama 3's frequencies in a phi3", { fusedProducts: true, rotary: { ...rotary, scaling: llama3 } }],
    ["biases in a qwen3", { headNorm: true, inputBias: true }],
    [
      "longrope with two lists",
      {
        rotary: {
          ...rotary,
          scaling: {
            kind: "longrope",
            shortFactors: [1, 1, 1, 1, 1, 1, 1, 1],
            longFactors: [2, 2, 2, 2, 2, 2, 2, 2],
            originalPositions: 64,
            attentionFactor: 1,
          },
        },
      },
    ],
  ])("refuses %s", (_, fields) => {
    const decoder = createDecoder(decoderConfig({ ...sizes, ...fields }));
    expect(() =>
      decoderContents(decoder, { type: "F32", name: "odd", tokenizer }),
    ).toThrowErrorMatchingSnapshot();
    decoder.parameters.dispose();
  });
});

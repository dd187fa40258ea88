import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { valueAndGradients } from "../../autodiff.js";
import { registerStockGradients } from "../../gradients.js";
import { packQ8_0 } from "../../kernels/quantised.js";
import { setFallback } from "../../kernels/run.js";
import { Parameter } from "../../parameters.js";
import type { PackedRows } from "../interfaces.js";
import { decoderConfig } from "./config.js";
import { createDecoder, type Decoder } from "./decoder.js";
import { resizeVocabulary } from "./resize-vocabulary.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

const sizes = { vocabularySize: 7, width: 8, depth: 1, heads: 2, inner: 12, initialStd: 0.4 };
const make = (tiedHead: boolean) => createDecoder(decoderConfig({ ...sizes, tiedHead }), { seed: 2 });

function text(...ids: readonly number[]): PackedRows {
  return {
    ids: Int32Array.from(ids),
    offsets: Int32Array.of(0, ids.length),
    positions: Int32Array.from(ids, (_, i) => i),
    images: [],
    countsAsText: new Int32Array(ids.length).fill(1),
    labels: Int32Array.from(ids, (_, i) => ids[i + 1] ?? -100),
  };
}

const logitsOf = (model: Decoder, ...ids: readonly number[]) =>
  model.logits(model.forward({ packed: text(...ids), visual: null }).hidden).arraySync();

const largest = (x: tf.Tensor) => tf.max(tf.abs(x)).dataSync()[0] as number;

const tables = {
  tied: ["model.embed_tokens.weight"],
  untied: ["model.embed_tokens.weight", "lm_head.weight"],
};

describe.each([
  ["tied", true],
  ["untied", false],
] as const)("a %s table", (kind, tied) => {
  it("keeps its rows, and gets their mean as new ones", () => {
    const model = make(tied);
    const before = tables[kind].map((name) => model.parameters.get(name).value.arraySync() as number[][]);
    const logits = logitsOf(model, 1, 2, 6);
    resizeVocabulary(model, 10);
    expect([model.vocabularySize, model.config.vocabularySize]).toEqual([10, 10]);
    for (const [i, name] of tables[kind].entries()) {
      const { value, shape } = model.parameters.get(name);
      const rows = value.arraySync() as number[][];
      expect([shape, value.shape, rows.slice(0, 7)]).toEqual([[10, 8], [10, 8], before[i]]);
      const mean = tf.mean(before[i] as number[][], 0);
      expect(largest(tf.sub(rows.slice(7), mean))).toBeLessThan(1e-6);
    }
    expect(model.vocabulary).toBe(model.parameters.get("model.embed_tokens.weight").value);
    expect(model.head.weight).toBe(model.parameters.get(tables[kind].at(-1) ?? "").value);
    // Logits of the tokens before are the same; a new token's is their mean.
    const after = logitsOf(model, 1, 2, 6);
    expect(after.map((row) => row.slice(0, 7))).toEqual(logits);
    const added = after.map((row) => row.slice(7));
    expect(largest(tf.sub(added, tf.mean(logits, 1, true)))).toBeLessThan(1e-5);
    model.parameters.dispose();
  });

  it("loses its last rows where it shrinks, and grows back to the mean of those left", () => {
    const model = make(tied);
    const logits = logitsOf(model, 1, 2, 3);
    resizeVocabulary(model, 4);
    expect(logitsOf(model, 1, 2, 3)).toEqual(logits.map((row) => row.slice(0, 4)));
    expect(() => model.forward({ packed: text(1, 6), visual: null })).toThrow(/E_INDEX_RANGE/);
    resizeVocabulary(model, 7);
    expect(logitsOf(model, 1, 2, 6)).toHaveLength(3);
    model.parameters.dispose();
  });

  it("trains new tokens like others, and leaks nothing", () => {
    const before = tf.memory().numTensors;
    const model = make(tied);
    resizeVocabulary(model, 9);
    const parameters = [...model.parameters].map(({ value }) => value);
    const packed = text(8, 1, 8);
    const loss = () => tf.sum(model.logits(model.forward({ packed, visual: null }).hidden)) as tf.Scalar;
    const { value, gradients } = valueAndGradients(loss, parameters);
    expect(gradients.map(({ shape }) => shape)).toEqual([...model.parameters].map(({ shape }) => shape));
    expect(
      tf.tidy(() => tf.sum(tf.abs(tf.slice(gradients[0] as tf.Tensor, [8, 0], [1, 8]))).dataSync()[0]),
    ).toBeGreaterThan(0);
    tf.dispose([value, ...gradients]);
    model.parameters.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

it("keeps the first rows bit for bit, whatever the sizes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), (first, second) => {
      const model = make(false);
      const rows = model.vocabulary.arraySync();
      resizeVocabulary(model, first);
      resizeVocabulary(model, second);
      const kept = Math.min(7, first, second);
      expect(model.vocabulary.shape).toEqual([second, 8]);
      expect(model.vocabulary.arraySync().slice(0, kept)).toEqual(rows.slice(0, kept));
      model.parameters.dispose();
    }),
    { numRuns: 30 },
  );
});

it("explains what it cannot resize", () => {
  const model = make(true);
  expect(() => resizeVocabulary(model, 0)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: resizeVocabulary: the number of tokens must be a whole number from 1, got 0. Pass the tokenizer's size. [E_CONFIG]]`,
  );
  const words = packQ8_0(new Float32Array(7 * 32));
  const packed = new Parameter("lm_head.weight", { storage: "q8_0", words }, [7, 32]);
  vi.spyOn(model, "vocabularyParameters", "get").mockReturnValue([packed]);
  expect(() => resizeVocabulary(model, 9)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: resizeVocabulary: "lm_head.weight" is stored as q8_0, and rows can be added to float32 tables only. Load the model with \`table: "f32"\`. [E_CONFIG]]`,
  );
  expect(packed.shape).toEqual([7, 32]);
});

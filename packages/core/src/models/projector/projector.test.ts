import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { registerStockGradients } from "../../gradients.js";
import { setFallback } from "../../kernels/run.js";
import { createRandom } from "../../random.js";
import { type ProjectorFactory, Registry } from "../../registry.js";
import type { Grid, VisualRows } from "../interfaces.js";
import { mlpProjectors, projectorFactories } from "./built-in.js";
import { matchVocabulary } from "./match-vocabulary.js";
import { createProjector, projectorNames } from "./projector.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

const sizes = { features: 3, width: 5 };

function features(grids: readonly Grid[], width = 3): VisualRows {
  const counts = grids.map((grid) => (grid === null ? 4 : grid[0] * grid[1]));
  const offsets = Int32Array.from([
    0,
    ...counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b)),
  ]);
  const total = offsets.at(-1) ?? 0;
  const values = createRandom(7, "features").fillNormal(new Float32Array(total * width), 1);
  return { rows: tf.tensor2d(values, [total, width]), offsets, grids };
}

function meanLength(rows: tf.Tensor2D): number {
  const lengths = [...tf.sqrt(tf.sum(tf.square(rows), 1)).dataSync()];
  return lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
}

describe("createProjector", () => {
  it.each([
    ["linear", ["linear_1.weight", "linear_1.bias"]],
    ["mlp2x_gelu", ["linear_1.weight", "linear_1.bias", "linear_2.weight", "linear_2.bias"]],
    ["pixel-shuffle", ["linear_1.weight"]],
  ])("gives %s LLaVA's parameter names", (name, names) => {
    const projector = createProjector(name, sizes);
    expect([...projector.parameters].map((parameter) => parameter.name)).toEqual(names);
  });

  it("keeps rows, offsets and grids", () => {
    const input = features([[2, 2], null]);
    const output = createProjector("mlp3x_gelu", sizes).project(input);
    expect([output.rows.shape, [...output.offsets], output.grids]).toEqual([[8, 5], [0, 4, 8], input.grids]);
  });

  it("passes features through `identity`", () => {
    const input = features([[1, 2]]);
    const output = createProjector("identity", { features: 3, width: 3 }).project(input);
    expect(output.rows.dataSync()).toEqual(input.rows.dataSync());
  });

  it("puts squares of patches side by side, patch rows first", () => {
    const rows = tf.tensor2d(Array.from({ length: 8 }, (_, i) => [i]));
    const projector = createProjector("pixel-shuffle", {
      features: 1,
      width: 4,
      values: () => Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0)),
    });
    const output = projector.project({ rows, offsets: Int32Array.of(0, 8), grids: [[2, 4]] });
    expect(output.rows.arraySync()).toEqual([
      [0, 1, 4, 5],
      [2, 3, 6, 7],
    ]);
    expect([[...output.offsets], output.grids]).toEqual([[0, 2], [[1, 2]]]);
  });

  it("scales each row to the root mean square that was asked for", () => {
    const { rows } = createProjector("linear", { ...sizes, outputNorm: { rms: 0.5 } }).project(
      features([[2, 2]]),
    );
    for (const row of rows.arraySync()) {
      expect(Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / 5)).toBeCloseTo(0.5, 5);
    }
  });

  it("leaks no tensors", () => {
    const projector = createProjector("pixel-shuffle", sizes);
    const input = features([[2, 2]]);
    const before = tf.memory().numTensors;
    projector.project(input).rows.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("explains what it cannot build or project", () => {
    expect(() => createProjector("mlp2x_gleu", sizes)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createProjector: there is no projector "mlp2x_gleu". Did you mean "mlp2x_gelu"? Known: identity, linear, mlp2x_gelu, mlpNx_gelu, gelu-mlp, fused-gelu-mlp, pixel-shuffle, ldp, ldpv2, c-abstractor, resampler, vocabulary. [E_NAME_UNKNOWN]]`,
    );
    expect(() => createProjector("mlp1x_gelu", sizes)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createProjector: there is no projector "mlp1x_gelu". Did you mean "mlp2x_gelu"? Known: identity, linear, mlp2x_gelu, mlpNx_gelu, gelu-mlp, fused-gelu-mlp, pixel-shuffle, ldp, ldpv2, c-abstractor, resampler, vocabulary. [E_NAME_UNKNOWN]]`,
    );
    // Names of JavaScript's own are no projectors and no options.
    expect(() => createProjector("constructor", sizes)).toThrow(/E_NAME_UNKNOWN/);
    for (const wrong of [{ toString: 1 }, { bias: "no" }, { outputNorm: null }]) {
      expect(() => createProjector("linear" as string, { ...sizes, ...wrong })).toThrow(/E_CONFIG/);
    }
    expect(() => createProjector("identity", sizes)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createProjector: "identity" needs features of the LLM's width 5, got 3. Use "linear". [E_CONFIG]]`,
    );
    expect(() =>
      createProjector("pixel-shuffle", { ...sizes, factor: 0 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createProjector: \`factor\` must be a whole number from 1, got 0. Leave it out for 2. [E_CONFIG]]`,
    );
    expect(() =>
      createProjector("linear", { ...sizes, outputNorm: { rms: 0 } }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createProjector: \`outputNorm.rms\` must be above 0, got 0. Leave \`outputNorm\` out for none. [E_CONFIG]]`,
    );
    expect(() => createProjector("mlp2x_gelu", { ...sizes, factor: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createProjector: "mlp2x_gelu" has no \`factor\`, got 2. Leave it out, or use "pixel-shuffle". [E_CONFIG]]`,
    );
    expect(() =>
      createProjector("identity", { features: 3, width: 3, bias: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: createProjector: "identity" has no products, so \`bias: true\` means nothing. Leave it out, or use "linear". [E_CONFIG]]`,
    );
    const shuffle = createProjector("pixel-shuffle", sizes);
    expect(() => shuffle.project(features([[2, 3]]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: pixel-shuffle: needs a grid of patches whose sides are multiples of 2, got 2 x 3 and 6 rows. Choose another image size or factor, and leave the class token out. [E_SHAPE]]`,
    );
    expect(() => shuffle.gridAfter(null, 4)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: pixel-shuffle: needs a grid of patches whose sides are multiples of 2, got rows without a grid and 4 rows. Choose another image size or factor, and leave the class token out. [E_SHAPE]]`,
    );
  });
});

describe("matchVocabulary", () => {
  it("makes the mean length of the embeddings that of the vocabulary", () => {
    const projector = createProjector("mlp2x_gelu", sizes);
    const input = features([[3, 3]]);
    const vocabulary = tf.tensor2d(
      createRandom(1, "table").fillNormal(new Float32Array(20 * 5), 0.02),
      [20, 5],
    );
    matchVocabulary(projector, input, vocabulary);
    expect(meanLength(projector.project(input).rows)).toBeCloseTo(meanLength(vocabulary), 6);
  });

  it("refuses a projector without a last product", () => {
    const projector = createProjector("identity", { features: 3, width: 3 });
    const vocabulary = tf.ones<tf.Rank.R2>([2, 3]);
    expect(() =>
      matchVocabulary(projector, features([[1, 1]]), vocabulary),
    ).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: matchVocabulary: nothing in the projector "identity" scales its rows: it has no products, mixes by softmax, or \`outputNorm\` fixes their size. Use projectorInit "default"; products alone can have outputNorm: { rms } instead. [E_CONFIG]]`,
    );
  });
});

describe("projectorFactories", () => {
  const context = { ...sizes, random: createRandom(1, "projector") };

  it("builds from a recipe's options", () => {
    const projector = projectorFactories["pixel-shuffle"]?.({ ...context, options: { factor: 3 } });
    expect(projector?.gridAfter([3, 3], 9)).toEqual({ rows: 1, grid: [1, 1] });
  });

  it("builds any number of products by their name", () => {
    const registry = new Registry<ProjectorFactory>("projector");
    for (const [name, factory] of Object.entries(projectorFactories)) registry.define(name, factory);
    registry.defineFamily(mlpProjectors);
    const made = registry.get("mlp12x_gelu")({ ...context, options: {} });
    expect(made.parameters.count).toBe(24);
    expect(registry.has("mlp1x_gelu")).toBe(false);
    expect(registry.list()).toEqual([...projectorNames].sort());
    expect(() => registry.get("mlp0x_gelu")).toThrow(/Did you mean "mlp2x_gelu"\? .*\[E_NAME_UNKNOWN\]/);
  });

  it("refuses options that it does not know", () => {
    const build = () => projectorFactories["linear"]?.({ ...context, options: { depth: 3 } });
    expect(build).toThrowErrorMatchingInlineSnapshot(`
      [BasicError: Options of the projector "linear" are not valid.
      ✖ Unrecognized key: "depth"
      Known: outputNorm, bias, factor. [E_RECIPE_INVALID]]
    `);
  });
});

import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { registerStockGradients } from "../../gradients.js";
import { setFallback } from "../../kernels/run.js";
import { adaptiveMeanWeights, type PatchGrid } from "../../layers/image-rows.js";
import { createRandom } from "../../random.js";
import type { ComponentOptions } from "../../registry.js";
import type { Grid, VisualRows } from "../interfaces.js";
import { projectorFactories } from "./built-in.js";
import type { BuiltInProjector } from "./built-in-projector.js";
import { matchVocabulary } from "./match-vocabulary.js";
import { copyProjector, createProjector } from "./projector.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
});

const place = { features: 3, width: 8, patches: [4, 4] } as const;

/** A small projector of each kind. */
const small: Readonly<Record<string, ComponentOptions>> = {
  linear: {},
  "fused-gelu-mlp": {},
  ldp: {},
  ldpv2: { pool: [2, 2] },
  "c-abstractor": { pool: [2, 2], depth: 1, hidden: 4 },
  resampler: { queries: 3, depth: 1, heads: 2, headWidth: 2 },
  vocabulary: { hidden: 4, weights: "none" },
};

function make(name: string, options: ComponentOptions = small[name] ?? {}): BuiltInProjector {
  const vocabulary = tf.tensor2d(normal(6 * 8, "vocabulary"), [6, 8]);
  const made = createProjector(name, { ...place, ...options, vocabulary, seed: 3 });
  vocabulary.dispose();
  return made;
}

function normal(size: number, name: string): Float32Array {
  return createRandom(5, name).fillNormal(new Float32Array(size), 1);
}

function features(...grids: readonly Grid[]): VisualRows {
  const counts = grids.map((grid) => (grid === null ? 5 : grid[0] * grid[1]));
  const ends = counts.map((_, i) => counts.slice(0, i + 1).reduce((a, b) => a + b, 0));
  const total = ends.at(-1) ?? 0;
  const rows = tf.tensor2d(normal(total * 3, "features"), [total, 3]);
  return { rows, offsets: Int32Array.from([0, ...ends]), grids };
}

const namesOf = ({ parameters }: BuiltInProjector) => [...parameters].map(({ name }) => name);

/** Runs `make`, which must throw, and returns the text. */
function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was thrown";
}

describe("names of the originals' checkpoints", () => {
  it("ldp", () => {
    const { parameters } = make("ldp");
    expect([...parameters].map(({ name, shape }) => `${name} ${shape.join("x")}`)).toEqual([
      "model.mlp.1.weight 8x3",
      "model.mlp.1.bias 8",
      "model.mlp.3.weight 8x8",
      "model.mlp.3.bias 8",
      ...["model.mb_block.1", "model.mb_block.2"].flatMap((block) => [
        `${block}.block.0.0.weight 8x1x3x3`,
        `${block}.block.0.1.weight 8`,
        `${block}.block.0.1.bias 8`,
        `${block}.block.1.fc1.weight 8x8x1x1`,
        `${block}.block.1.fc1.bias 8`,
        `${block}.block.1.fc2.weight 8x8x1x1`,
        `${block}.block.1.fc2.bias 8`,
        `${block}.block.2.0.weight 8x8x1x1`,
        `${block}.block.2.1.weight 8`,
        `${block}.block.2.1.bias 8`,
      ]),
    ]);
  });

  it("ldpv2, resampler and vocabulary", () => {
    expect(namesOf(make("ldpv2")).filter((name) => name.endsWith("weight"))).toEqual([
      "mlp.mlp.0.weight",
      "mlp.mlp.2.weight",
      "peg.peg.0.weight",
    ]);
    expect(namesOf(make("resampler"))).toEqual(
      expect.arrayContaining(["latents", "layers.0.0.to_kv.weight", "layers.0.1.3.weight", "norm.bias"]),
    );
    expect(namesOf(make("vocabulary"))).toEqual([
      ...["0.weight", "0.bias", "2.weight", "2.bias", "3.weight", "3.bias"],
      "vocabulary",
    ]);
  });

  it("c-abstractor, with Honeybee's sizes by default", () => {
    const sizes = { features: 16, width: 8, patches: [2, 2] } as const;
    const { options, parameters } = createProjector("c-abstractor", { ...sizes, hidden: 24 });
    expect(options).toEqual({ pool: [12, 12], depth: 3, hidden: 24, mlpDepth: 2, positions: [2, 2] });
    expect(parameters.get("pos_emb").shape).toEqual([1, 4, 16]);
    // A quarter of the channels that enter the block.
    expect(parameters.get("net.0.b1.se.fc1.weight").shape).toEqual([4, 24, 1, 1]);
    expect(parameters.get("net.0.b2.se.fc1.weight").shape).toEqual([6, 24, 1, 1]);
    expect(parameters.get("net.0.b1.downsample.conv.weight").shape).toEqual([24, 16, 1, 1]);
    expect(parameters.has("net.0.b2.downsample.conv.weight")).toBe(false);
    expect(parameters.has("readout.2.bias")).toBe(true);
  });
});

describe("rows of an image", () => {
  it.each([
    ["ldp", {}, [24, 24], { rows: 144, grid: [12, 12] }],
    ["ldp", {}, [5, 3], { rows: 6, grid: [3, 2] }],
    ["ldpv2", {}, [24, 24], { rows: 144, grid: [12, 12] }],
    ["c-abstractor", { positions: false }, [7, 9], { rows: 144, grid: [12, 12] }],
    ["resampler", {}, [24, 24], { rows: 128, grid: null }],
    ["vocabulary", {}, [2, 3], { rows: 6, grid: [2, 3] }],
  ] as const)("of %s %j for %j", (name, options, grid, expected) => {
    const projector = make(name, name === "c-abstractor" ? { ...options, hidden: 4, depth: 1 } : options);
    expect(projector.gridAfter(grid, grid[0] * grid[1])).toEqual(expected);
  });

  it.each(Object.keys(small))("may be those of no image: %s", (name) => {
    const { rows, offsets, grids } = make(name).project({
      rows: tf.zeros([0, 3]),
      offsets: Int32Array.of(0),
      grids: [],
    });
    expect([rows.shape, [...offsets], grids]).toEqual([[0, 8], [0], []]);
  });

  it("may be those of an image without features", () => {
    const none = { rows: tf.zeros<tf.Rank.R2>([0, 3]), offsets: Int32Array.of(0, 0), grids: [null] };
    const { rows, offsets } = make("resampler").project(none);
    expect([rows.shape, [...offsets]]).toEqual([
      [3, 8],
      [0, 3],
    ]);
  });

  it("may come without a grid where a projector takes any rows", () => {
    const { rows, offsets } = make("resampler").project(features(null, [2, 2]));
    expect([rows.shape, [...offsets]]).toEqual([
      [6, 8],
      [0, 3, 6],
    ]);
  });
});

describe("first values and copies", () => {
  it.each(Object.keys(small))("%s depends on the seed, and its copy on nothing", (name) => {
    const made = make(name);
    const values = new Map([...made.parameters].map((one) => [one.name, one.value.dataSync<"float32">()]));
    const copy = copyProjector(made, (parameter) => values.get(parameter) ?? new Float32Array());
    expect([copy.name, copy.options]).toEqual([made.name, made.options]);
    const input = features([4, 4], [4, 4]);
    expect(copy.project(input).rows.dataSync()).toEqual(made.project(input).rows.dataSync());
    expect(JSON.parse(JSON.stringify(made.options))).toEqual(made.options);
  });

  it.each(Object.keys(small))("%s is scaled to the vocabulary", (name) => {
    const projector = make(name);
    const input = features([4, 4], [4, 4]);
    const vocabulary = tf.tensor2d(normal(80, "E"), [10, 8]);
    const lengths = (rows: tf.Tensor2D) => tf.mean(tf.norm(rows, 2, 1)).dataSync()[0] as number;
    const before = projector.project(input).rows;
    matchVocabulary(projector, input, vocabulary);
    const after = projector.project(input).rows;
    expect(lengths(after)).toBeCloseTo(lengths(vocabulary), 5);
    const scaled = tf.mul(before, lengths(vocabulary) / lengths(before));
    expect(tf.max(tf.abs(tf.sub(after, scaled))).dataSync()[0]).toBeLessThan(1e-5);
  });

  it.each(Object.keys(small))("%s leaks no tensors", (name) => {
    const before = tf.memory().numTensors;
    const projector = make(name);
    const input = features([4, 4]);
    projector.project(input).rows.dispose();
    input.rows.dispose();
    projector.parameters.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("vocabulary", () => {
  it("mixes rows of the table: softmax keeps each value between the smallest and the largest", () => {
    const projector = make("vocabulary", { tokens: [1, 4] });
    const table = projector.parameters.get("vocabulary").value as tf.Tensor2D;
    expect(table.arraySync()).toEqual(
      [1, 4].map((row) => [...normal(6 * 8, "vocabulary").subarray(row * 8, row * 8 + 8)]),
    );
    const { rows } = projector.project(features([4, 4]));
    const [low, high] = [tf.min(table, 0), tf.max(table, 0)];
    expect(tf.all(tf.greaterEqual(rows, tf.sub(low, 1e-6))).dataSync()[0]).toBe(1);
    expect(tf.all(tf.lessEqual(rows, tf.add(high, 1e-6))).dataSync()[0]).toBe(1);
  });

  it("never trains its table", () => {
    const { parameters } = make("vocabulary");
    parameters.setTrainable(true);
    expect([...parameters].filter(({ trainable }) => !trainable).map(({ name }) => name)).toEqual([
      "vocabulary",
    ]);
    expect(
      messageOf(() => {
        parameters.get("vocabulary").trainable = true;
      }),
    ).toMatchInlineSnapshot(
      `"Parameter "vocabulary" is a constant of its part and cannot train. Leave it out of what trains. [E_CONFIG]"`,
    );
  });

  it("explains what it lacks, and leaves no tensors then", () => {
    const table = tf.ones<tf.Rank.R2>([6, 8]);
    const before = tf.memory().numTensors;
    expect(messageOf(() => createProjector("vocabulary", place))).toMatchInlineSnapshot(
      `"createProjector: "vocabulary" mixes rows of the language model's embedding table, but there is none. Pass \`vocabulary\` [V, D], the language model's. [E_CONFIG]"`,
    );
    expect(
      messageOf(() => createProjector("vocabulary", { ...place, vocabulary: table, tokens: [0, 6] })),
    ).toMatchInlineSnapshot(
      `"createProjector: \`tokens\`[1] is 6, but \`vocabulary\` has 6 rows: use 0 to 5. [E_INDEX_RANGE]"`,
    );
    expect(
      messageOf(() => createProjector("vocabulary", { ...place, width: 5, vocabulary: table })),
    ).toMatchInlineSnapshot(
      `"createProjector: \`vocabulary\` has rows of width 8, but \`width\` is 5. Pass the table of the same language model. [E_SHAPE]"`,
    );
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("options and grids that do not fit", () => {
  it("are named with what is known", () => {
    expect(messageOf(() => createProjector("ldp", { ...place, pool: [2, 2] }))).toMatchInlineSnapshot(`
      "createProjector: Options of the projector "ldp" are not valid.
      ✖ Unrecognized key: "pool"
      Known: none. [E_CONFIG]"
    `);
    expect(messageOf(() => createProjector("ldpv2", { ...place, pool: [0, 2] }))).toMatchInlineSnapshot(`
      "createProjector: Options of the projector "ldpv2" are not valid.
      ✖ Too small: expected number to be >0, got 0
        → at pool[0]
      Known: pool. [E_CONFIG]"
    `);
    expect(messageOf(() => createProjector("resampler", { ...place, heads: 1.5 }))).toMatchInlineSnapshot(`
      "createProjector: Options of the projector "resampler" are not valid.
      ✖ Invalid input: expected int, received number, got 1.5
        → at heads
      Known: queries, depth, heads, headWidth, expansion. [E_CONFIG]"
    `);
    const some: string = "linear";
    expect(messageOf(() => createProjector(some, { ...place, pool: [2, 2] }))).toMatchInlineSnapshot(`
      "createProjector: Options of the projector "linear" are not valid.
      ✖ Unrecognized key: "pool"
      Known: outputNorm, bias, factor. [E_CONFIG]"
    `);
  });

  it("also in a recipe", () => {
    const context = { ...place, random: createRandom(1, "projector"), options: { layers: 2 } };
    expect(messageOf(() => projectorFactories["c-abstractor"]?.(context))).toMatchInlineSnapshot(`
      "Options of the projector "c-abstractor" are not valid.
      ✖ Unrecognized key: "layers"
      Known: pool, depth, hidden, mlpDepth, positions. [E_RECIPE_INVALID]"
    `);
  });

  it("say which grid was expected", () => {
    expect(messageOf(() => make("ldp").project(features(null)))).toMatchInlineSnapshot(
      `"ldp: needs a grid of patches, got rows without a grid and 5 rows. Leave the class token out, or use a projector that takes any rows, such as resampler. [E_SHAPE]"`,
    );
    expect(messageOf(() => make("c-abstractor").project(features([2, 4])))).toMatchInlineSnapshot(
      `"c-abstractor: has embeddings for 4 x 4 patches, got 2 x 4. Choose that image size, or make the projector with other \`positions\` (false: any size). [E_SHAPE]"`,
    );
    expect(messageOf(() => createProjector("c-abstractor", { features: 3, width: 8 }))).toMatchInlineSnapshot(
      `"createProjector: "c-abstractor" has an embedding for each patch, but the encoder does not say how many there are. Give \`positions: [rows, columns]\`, or \`positions: false\` for none. [E_CONFIG]"`,
    );
  });
});

describe("adaptiveMeanWeights", () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }));

  it("gives every cell weights of equal size that add up to 1, and every patch a cell", () => {
    fc.assert(
      fc.property(sizes, sizes, (from, target) => {
        const [patches, cells] = [from[0] * from[1], target[0] * target[1]];
        const weights = adaptiveMeanWeights(from as PatchGrid, target as PatchGrid);
        expect(weights.length).toBe(patches * cells);
        const reached = new Set<number>();
        for (let cell = 0; cell < cells; cell++) {
          const row = weights.subarray(cell * patches, (cell + 1) * patches);
          expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
          expect(new Set(row.filter((weight) => weight > 0)).size).toBe(1);
          for (const [patch, weight] of row.entries()) if (weight > 0) reached.add(patch);
        }
        expect(reached.size).toBe(patches);
      }),
    );
  });
});

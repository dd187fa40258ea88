import {
  clipConfig,
  createDecoder,
  createVit,
  decoderConfig,
  ParameterSet,
  type Projector,
  projectorFactories,
  siglipConfig,
  visualLosses,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";

import {
  type LossField,
  type ProjectorSuite,
  type Regions,
  testEncoder,
  testLanguageModel,
  testLoss,
  testProjector,
} from "../src/index.js";
import { regionProblems } from "../src/projector-regions.js";

const lossFactory = (name: string) => visualLosses[name] as (typeof visualLosses)[string];
const projectorFactory = (name: string) => projectorFactories[name] as (typeof projectorFactories)[string];

/** Fields that get a gradient, by loss. */
const gradientsTo: Readonly<Record<string, readonly LossField[]>> = {
  direction: ["initial"],
  distribution: ["initial"],
  "smooth-l1": ["initial"],
  "das-nce": ["initial"],
  "emu-l2": ["hidden"],
  "vw-kl": ["hidden"],
  "viral-cos": ["block"],
  "viral-gram": ["block"],
};

describe("the list of losses above", () => {
  it("names every loss of core", () => {
    expect(Object.keys(gradientsTo).sort()).toEqual(Object.keys(visualLosses).sort());
  });
});

for (const [name, fields] of Object.entries(gradientsTo)) {
  // Its default negatives come from the whole micro-batch.
  testLoss({ name, create: lossFactory(name), gradientsTo: fields, addsUp: name !== "das-nce" });
}
for (const name of ["direction", "distribution"]) {
  testLoss({
    name: `${name} with a gradient to the refined rows`,
    create: lossFactory(name),
    options: { stopGradient: false, normalise: "sum" },
    gradientsTo: ["initial", "refined"],
  });
}
testLoss({
  name: "das-nce with negatives of the sample",
  create: lossFactory("das-nce"),
  options: { negatives: "sample" },
});

/** How each projector of core is tested; `mlpNx_gelu` as its first. */
const projectorSuites: Readonly<Record<string, Partial<ProjectorSuite>>> = {
  identity: { features: 8 },
  linear: {},
  mlp2x_gelu: { options: { outputNorm: { rms: 0.5 } } },
  "gelu-mlp": {},
  "fused-gelu-mlp": {},
  "pixel-shuffle": {},
  // The excitation is a factor of each channel, out of the mean of the image.
  ldp: {
    grids: [
      [6, 8],
      [3, 2],
    ],
    features: 4,
    regions: { reach: 1, faint: true },
  },
  ldpv2: {
    options: { pool: [3, 3] },
    grids: [
      [9, 9],
      [2, 4],
    ],
    regions: { reach: 1 },
  },
  "c-abstractor": {
    options: { pool: [3, 3], depth: 1, hidden: 6 },
    grids: [
      [6, 6],
      [6, 6],
    ],
    regions: { reach: 2, faint: true },
  },
  resampler: { options: { queries: 3, depth: 2, heads: 2, headWidth: 3, expansion: 2 } },
  vocabulary: { options: { tokens: [1, 4, 7, 9], hidden: 5 } },
};

describe("the list of projectors above", () => {
  it("names every projector of core", () => {
    expect(Object.keys(projectorSuites).sort()).toEqual(Object.keys(projectorFactories).sort());
  });
});

for (const [name, suite] of Object.entries(projectorSuites)) {
  testProjector({ name, create: projectorFactory(name), ...suite });
}
testProjector({
  name: "c-abstractor without positions or blocks",
  create: projectorFactory("c-abstractor"),
  options: { pool: [2, 2], depth: 0, positions: false },
});
testProjector({
  name: "vocabulary with its scores as weights",
  create: projectorFactory("vocabulary"),
  options: { weights: "none" },
});

describe("regionProblems", () => {
  const create = (project: (rows: tf.Tensor2D) => tf.Tensor2D): Projector => ({
    parameters: new ParameterSet(),
    project: ({ rows, ...rest }) => ({ rows: project(rows), ...rest }),
    gridAfter: (grid, rows) => ({ grid, rows }),
  });
  const rows = { shape: [4, 2], values: [1, 2, 3, 4, 5, 6, 7, 8], dtype: "float32" } as const;
  const problemsOf = (projector: Projector, regions: Regions) =>
    regionProblems({ projector, rows, grid: [2, 2], regions })[0];

  it("finds a row that a patch of another place changes", () => {
    const mixing = create((x) => tf.add(x, tf.mean(x, 0)));
    expect(problemsOf(mixing, "own")).toMatch(/^patch 0: row 1 changes, which is out of reach/);
    expect(problemsOf(mixing, { reach: 0, faint: true })).toBeUndefined();
    expect(problemsOf(mixing, "all")).toBeUndefined();
  });

  it("finds a row that its own patch does not change, or less than another", () => {
    const turned = create((x) => tf.reverse(x, 0));
    expect(problemsOf(turned, "own")).toMatch(/^patch 0: row 3 changes/);
    expect(problemsOf(turned, { reach: 0, faint: true })).toMatch(/^patch 0: rows out of reach change more/);
    expect(
      problemsOf(
        create((x) => tf.zerosLike(x)),
        "own",
      ),
    ).toMatch(/^patch 0: rows in reach do not change/);
    expect(
      problemsOf(
        create((x) => tf.clone(x)),
        "all",
      ),
    ).toMatch(/^patch 0: rows in reach do not change/);
  });
});

const decoder = decoderConfig({
  vocabularySize: 9,
  width: 8,
  depth: 2,
  heads: 2,
  inner: 10,
  initialStd: 0.4,
});
testLanguageModel({ name: "decoder", create: () => createDecoder(decoder) });

const sizes = { imageSize: 8, patchSize: 4, width: 8, depth: 1, heads: 2, inner: 12 };
testEncoder({ name: "clip", create: () => createVit(clipConfig(sizes), { layer: -1 }) });
testEncoder({ name: "siglip", create: () => createVit(siglipConfig(sizes), { layer: -1 }) });

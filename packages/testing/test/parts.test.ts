import {
  clipConfig,
  createDecoder,
  createVit,
  decoderConfig,
  projectorFactories,
  siglipConfig,
  visualLosses,
} from "@basic-mllm/core";
import { describe, expect, it } from "vitest";

import { type LossField, testEncoder, testLanguageModel, testLoss, testProjector } from "../src/index.js";

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

testProjector({ name: "identity", create: projectorFactory("identity"), features: 8 });
testProjector({ name: "linear", create: projectorFactory("linear") });
testProjector({
  name: "mlp2x_gelu",
  create: projectorFactory("mlp2x_gelu"),
  options: { outputNorm: { rms: 0.5 } },
});
testProjector({ name: "pixel-shuffle", create: projectorFactory("pixel-shuffle") });

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

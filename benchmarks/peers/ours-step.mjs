// A step case in our framework: model, optimizer, batch and one training step.
import {
  createDecoder,
  createDirectionLoss,
  createDistributionLoss,
  createOptimizer,
  createProjector,
  createVit,
  createVlmObjective,
  decoderConfig,
  disposeStep,
  siglipConfig,
  singleProcess,
  trainStep,
} from "@basic-mllm/core";

import { integers, noise } from "./values.mjs";

const DEVIATION = 0.02;
const IGNORED = -100;

/** First values by name, as in torch_step.py. */
const source = (part) => (name, shape, role) => {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (role === "bias") return new Float32Array(size);
  if (role === "scale") return new Float32Array(size).fill(1);
  return noise(`${part}/${name}`, size, DEVIATION);
};

function createModel({ vision, language, training }) {
  const { image: imageSize, patch: patchSize, width, depth, heads, inner } = vision;
  const sizes = { imageSize, patchSize, width, depth, heads, inner };
  const vit = siglipConfig({ ...sizes, activation: "gelu-erf" });
  const encoder = createVit(vit, { values: source("vision"), layer: -1 });
  const projector = createProjector("mlp2x_gelu", {
    features: width,
    width: language.width,
    values: source("projector"),
  });
  const { vocabulary, batch: _, text: __, ...shape } = language;
  const config = decoderConfig({ ...shape, vocabularySize: vocabulary, tiedHead: true });
  const decoder = createDecoder(config, { values: source("language") });
  const inBasic = (weight) => (position) => (position.stage === "basic" ? weight : null);
  const losses = [
    { loss: createDirectionLoss({ normalise: "sum" }), weightAt: inBasic(training.direction) },
    { loss: createDistributionLoss({ normalise: "sum" }), weightAt: inBasic(training.distribution) },
  ];
  return createVlmObjective({ encoder, projector, language: decoder, losses });
}

function createTraining(objective, { trainsLanguage, training, moments }) {
  const trained = trainsLanguage ? ["projector", "language"] : ["projector"];
  for (const [name, set] of Object.entries(objective.groups)) set.setTrainable(trained.includes(name));
  const { learningRate, weightDecay, betas, epsilon, maxNorm } = training;
  const groups = trained.map((name) => ({
    name,
    parameters: [...objective.groups[name]],
    learningRate,
    weightDecay,
  }));
  return createOptimizer({ groups, betas, epsilon, maxNorm, ...(moments !== undefined && { moments }) });
}

/** Samples of an image and text behind it; every text token is trained. */
function createBatch({ vision, language }) {
  const { batch, text, vocabulary } = language;
  const visual = (vision.image / vision.patch) ** 2;
  const tokens = integers("ids", batch * text, vocabulary);
  const length = visual + text;
  const ids = new Int32Array(batch * length);
  const labels = new Int32Array(batch * length).fill(IGNORED);
  for (let sample = 0; sample < batch; sample++) {
    const own = tokens.subarray(sample * text, (sample + 1) * text);
    const first = sample * length;
    for (let i = 0; i < visual; i++) ids[first + i] = -1 - (sample * visual + i);
    ids.set(own, first + visual);
    labels.set(own, first + visual - 1);
  }
  const shape = [batch, vision.image, vision.image, 3];
  const packed = {
    ids,
    labels,
    offsets: Int32Array.from({ length: batch + 1 }, (_, i) => i * length),
    positions: ids.map((_, i) => i % length),
    images: Array.from({ length: batch }, (_, sample) => ({
      sample,
      start: sample * length,
      length: visual,
    })),
    countsAsText: ids.map((id) => (id >= 0 ? 1 : 0)),
  };
  const pixels = noise("pixels", batch * vision.image ** 2 * 3, 1);
  const sampleIds = Array.from({ length: batch }, (_, i) => `${i}`);
  return { packed, visual: { pixels, shape }, sampleIds };
}

/**
 * Opens a case. `step(mode)` trains once and gives the losses. `moments` of a case: how the optimizer stores them
 * (float32 unless given).
 */
export function openStepCase(chosen) {
  const objective = createModel(chosen);
  const optimizer = createTraining(objective, chosen);
  const batch = createBatch(chosen);
  let steps = 0;
  return {
    async step(mode) {
      const position = { stage: mode, step: steps++, steps: 1000 };
      const input = { objective, batches: [batch], position, reduction: "global", collective: singleProcess };
      const outcome = await trainStep(input, optimizer, 1);
      const losses = [...outcome.parts].map(([name, { value }]) => [name, value.dataSync()[0]]);
      disposeStep(outcome);
      return Object.fromEntries(losses);
    },
  };
}

// LLaVA-1.5-7B as our models: its shapes, a batch, a training step. Weights are zero: nothing here looks at values.
import {
  attachLora,
  createDecoder,
  createDirectionLoss,
  createDistributionLoss,
  createOptimizer,
  createProjector,
  createVlmObjective,
  decoderConfig,
  disposeStep,
  singleProcess,
  trainStep,
} from "@basic-mllm/core";

/** Vicuna-7B, and CLIP-L/14-336's features, which are cached. */
const LANGUAGE = { vocabularySize: 32_000, width: 4096, depth: 32, heads: 32, inner: 11_008 };
const FEATURES = 1024;
const GRID = [24, 24];
const IMAGE_ROWS = 576;
const IGNORED = -100;
/** Samples of a step. */
const BATCH = 16;

/** Both stages. Blocks run again in their gradient. */
export const stepCases = [
  { name: "align", text: 32, lora: false, title: "align (the projector trains)" },
  {
    name: "finetune-lora",
    text: 192,
    lora: true,
    title: "finetune (adapters of rank 128 and the projector train)",
  },
];

const floats = (_, shape) => new Float32Array(sizeOf(shape));

/** Zeros by how the matrices of blocks are stored: `f32` or `bf16`. */
const zeros = {
  f32: floats,
  bf16: Object.assign((name, shape) => floats(name, shape), {
    packed: (_, shape) => ({ storage: "bf16", words: new Int32Array(sizeOf(shape) / 2) }),
  }),
};

function sizeOf(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

function createObjective({ lora: adapted }, storage) {
  const language = createDecoder(decoderConfig(LANGUAGE), { values: zeros[storage] });
  language.recompute = true;
  const lora = adapted ? attachLora(language, { rank: 128, alpha: 256, dropout: 0.05 }) : undefined;
  const places = { features: FEATURES, width: LANGUAGE.width };
  const projector = createProjector("mlp2x_gelu", { ...places, values: floats });
  const losses = [
    { loss: createDirectionLoss({ normalise: "sum" }), weightAt: () => 1 },
    { loss: createDistributionLoss({ normalise: "sum" }), weightAt: () => 0.01 },
  ];
  return createVlmObjective({ encoder: null, projector, language, losses, ...(lora && { lora }) });
}

/** An image and text behind it in every sample; every text token has a label. */
function createBatch({ text }, samples) {
  const length = IMAGE_ROWS + text;
  const ids = new Int32Array(samples * length);
  const labels = new Int32Array(samples * length).fill(IGNORED);
  for (let sample = 0; sample < samples; sample++) {
    const first = sample * length;
    for (let i = 0; i < IMAGE_ROWS; i++) ids[first + i] = -1 - (sample * IMAGE_ROWS + i);
    for (let i = IMAGE_ROWS; i < length; i++) {
      ids[first + i] = (sample * text + i) % LANGUAGE.vocabularySize;
      labels[first + i - 1] = ids[first + i];
    }
  }
  const each = (count, value) => Array.from({ length: count }, (_, i) => value(i));
  return {
    packed: {
      ids,
      labels,
      offsets: Int32Array.from(each(samples + 1, (i) => i * length)),
      positions: ids.map((_, i) => i % length),
      images: each(samples, (sample) => ({ sample, start: sample * length, length: IMAGE_ROWS })),
      countsAsText: ids.map((id) => (id >= 0 ? 1 : 0)),
    },
    visual: {
      values: new Float32Array(samples * IMAGE_ROWS * FEATURES),
      width: FEATURES,
      offsets: Int32Array.from(each(samples + 1, (i) => i * IMAGE_ROWS)),
      grids: each(samples, () => GRID),
    },
    sampleIds: each(samples, String),
  };
}

/**
 * Opens a case on the current backend: `step` trains once, and reads the loss.
 *
 * @param samples Of a micro-batch; the step has as many of these as make 16 samples.
 */
export function openStep(chosen, { samples = BATCH, storage = "bf16" } = {}) {
  const objective = createObjective(chosen, storage);
  const trained = chosen.lora ? ["projector", "lora"] : ["projector"];
  for (const [name, set] of Object.entries(objective.groups)) {
    // Packed weights are frozen for good.
    for (const parameter of set)
      if (parameter.storage === "f32") parameter.trainable = trained.includes(name);
  }
  const groups = trained.map((name) => ({
    name,
    parameters: [...objective.groups[name]],
    learningRate: 1e-3,
    weightDecay: 0,
  }));
  const optimizer = createOptimizer({ groups, betas: [0.9, 0.999], epsilon: 1e-8, maxNorm: 1 });
  const batches = Array.from({ length: BATCH / samples }, () => createBatch(chosen, samples));
  let steps = 0;
  return {
    rows: batches.reduce((sum, { packed }) => sum + packed.ids.length, 0),
    async step() {
      const position = { stage: chosen.name, step: steps++, steps: 1000 };
      const input = { objective, batches, position, reduction: "global", collective: singleProcess };
      const outcome = await trainStep(input, optimizer, 1);
      await outcome.loss.data();
      disposeStep(outcome);
    },
    disposeOptimizer() {
      optimizer.dispose();
    },
    dispose() {
      for (const set of Object.values(objective.groups)) set.dispose();
    },
  };
}

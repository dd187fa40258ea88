// Training steps that run in our framework and in a peer: LLaVA shapes, with and without BASIC.

const TINY = {
  width: 256,
  depth: 8,
  heads: 8,
  keyValueHeads: 8,
  inner: 688,
  vocabulary: 4096,
  batch: 16,
  text: 32,
};
/** The language model of SmolLM2-135M. */
const SMOL = {
  width: 576,
  depth: 30,
  heads: 9,
  keyValueHeads: 3,
  inner: 1536,
  vocabulary: 49152,
  batch: 4,
  text: 64,
};

/** The frozen encoder of every case: 64 visual rows an image. */
const VISION = { image: 64, patch: 8, width: 192, depth: 6, heads: 3, inner: 768 };

/** AdamW, clipping and the weights of BASIC's losses. */
const TRAINING = {
  learningRate: 1e-4,
  betas: [0.9, 0.95],
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxNorm: 1,
  direction: 1,
  distribution: 0.01,
};

const common = { vision: VISION, training: TRAINING };

/** `s1` trains the projector alone, `s2` the projector and the language model. */
export const stepCases = [
  { name: "tiny-s1", trainsLanguage: false, language: TINY, ...common },
  { name: "tiny-s2", trainsLanguage: true, language: TINY, ...common },
  { name: "smol-s1", trainsLanguage: false, language: SMOL, ...common },
  { name: "smol-s2", trainsLanguage: true, language: SMOL, ...common },
];

/** `off`: the language loss. `basic`: with direction and distribution, patch weights that sum to 1. */
export const MODES = ["off", "basic"];

/** How our optimizer may store its moments. PyTorch's are float32. */
export const MOMENTS = ["float32", "bfloat16", "int8"];

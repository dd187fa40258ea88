import {
  createDecoder,
  createOptimizer,
  createProjector,
  createRandom,
  createVit,
  createVlmObjective,
  decoderConfig,
  disposeStep,
  type LossFactory,
  type PackedRows,
  type Parameter,
  siglipConfig,
  singleProcess,
  trainStep,
  type VlmBatch,
  visualLosses,
} from "@basic-mllm/core";

const IMAGE = 24;
const PATCHES = 9;
const VOCABULARY = 211;
const SAMPLES = 4;
const TEXT = 13;

/** A small vision-language model whose every part trains, and one batch for it. */
export interface VlmTraining {
  readonly parameters: readonly Parameter[];
  /** One optimizer step; gives its loss. */
  step(): Promise<number>;
  dispose(): void;
}

/** Losses of the paper. */
const BASIC = ["direction", "distribution"];

/**
 * Encoder, projector and decoder from fixed seeds, with visual losses (both of BASIC), clipping and weight decay.
 *
 * @param names - Of {@link visualLosses}.
 */
export function createVlmTraining(names: readonly string[] = BASIC): VlmTraining {
  const encoder = createVit(
    siglipConfig({ imageSize: IMAGE, patchSize: 8, width: 32, depth: 2, heads: 2, inner: 48 }),
    { seed: 5 },
  );
  const projector = createProjector("mlp2x_gelu", { features: 32, width: 48, seed: 1 });
  const sizes = { vocabularySize: VOCABULARY, width: 48, depth: 4, heads: 4, inner: 96, initialStd: 0.1 };
  const language = createDecoder(decoderConfig(sizes), { seed: 3 });
  const context = { width: 48, depth: 4, features: 32, random: createRandom(11, "losses"), options: {} };
  const losses = names.map((name) => ({ loss: factoryOf(name)(context), weightAt: () => 1 }));
  const objective = createVlmObjective({ encoder, projector, language, losses });
  const groups = Object.entries(objective.groups).map(([name, parameters]) => ({
    name,
    parameters: [...parameters],
    learningRate: 1e-2,
    weightDecay: 0.1,
  }));
  const optimizer = createOptimizer({ groups, maxNorm: 1 });
  const position = { stage: "finetune", step: 0, steps: 10 };
  const input = {
    objective,
    batches: [batch()],
    position,
    reduction: "global",
    collective: singleProcess,
  } as const;
  return {
    parameters: optimizer.parameters,
    async step() {
      const { norm, ...outcome } = await trainStep(input, optimizer, 1);
      const [loss] = await outcome.loss.data();
      norm.dispose();
      disposeStep({ ...outcome, gradients: [] });
      return loss as number;
    },
    dispose() {
      optimizer.dispose();
      for (const parameter of optimizer.parameters) parameter.dispose();
    },
  };
}

function factoryOf(name: string): LossFactory {
  const factory = visualLosses[name];
  if (factory === undefined) throw new Error(`There is no visual loss "${name}".`);
  return factory;
}

/** Samples of one token, an image and text; the text is trained. */
function batch(): VlmBatch {
  const random = createRandom(9, "batch");
  const pixels = random.fillNormal(new Float32Array(SAMPLES * IMAGE * IMAGE * 3), 1);
  const packed = pack(random.fillNormal(new Float32Array(SAMPLES * TEXT), 1));
  const sampleIds = Array.from({ length: SAMPLES }, (_, i) => `sample-${i}`);
  return { packed, visual: { pixels, shape: [SAMPLES, IMAGE, IMAGE, 3] }, sampleIds };
}

function pack(noise: Float32Array): PackedRows {
  const length = 1 + PATCHES + TEXT;
  const ids: number[] = [];
  const labels: number[] = [];
  const token = (i: number) => Math.floor(Math.abs(noise[i] as number) * 70) % VOCABULARY;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const text = Array.from({ length: TEXT }, (_, i) => token(sample * TEXT + i));
    const visual = Array.from({ length: PATCHES }, (_, i) => -1 - (sample * PATCHES + i));
    ids.push(1, ...visual, ...text);
    labels.push(...new Array<number>(PATCHES).fill(-100), ...text, -100);
  }
  return {
    ids: Int32Array.from(ids),
    offsets: Int32Array.from({ length: SAMPLES + 1 }, (_, i) => i * length),
    positions: Int32Array.from(ids, (_, i) => i % length),
    images: Array.from({ length: SAMPLES }, (_, sample) => ({
      sample,
      start: sample * length + 1,
      length: PATCHES,
    })),
    countsAsText: Int32Array.from(ids, (id) => (id >= 0 ? 1 : 0)),
    labels: Int32Array.from(labels),
  };
}

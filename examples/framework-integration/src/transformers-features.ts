import {
  createDecoder,
  createDirectionLoss,
  createMemoryStore,
  createProjector,
  createRandom,
  createVlmObjective,
  decoderConfig,
  defineRecipe,
  type FeatureSource,
  type HostVisualRows,
  type ImageBatch,
  readMetrics,
  startBackend,
  type TrainingData,
  type TrainLine,
  train,
  type VlmBatch,
} from "@basic-mllm/core";
import { IMAGE_SLOT, packSamples } from "@basic-mllm/data";

import { writeTinyEncoder } from "./tiny-onnx.js";
import { openTransformersSource } from "./transformers-source.js";

const IMAGE_SIZE = 16;
const PICTURES = 32;
/** What the pictures show, and the token that says so. Token 0 ends a caption. */
const COLORS = [
  { token: 1, rgb: [1, -1, -1] },
  { token: 2, rgb: [-1, 1, -1] },
  { token: 3, rgb: [-1, -1, 1] },
  { token: 4, rgb: [1, 1, -1] },
] as const;
/** The whole vocabulary: the end, four colours, the start. */
const VOCABULARY = 6;
const START = 5;
const END = 0;

/** The first and the last line of metrics. */
export interface FeaturesResult {
  readonly first: TrainLine;
  readonly last: TrainLine;
}

/**
 * Trains a projector and a small Llama on features that transformers.js computes.
 *
 * @param folder - Where the example writes its ONNX model.
 */
export async function runTransformersFeatures(folder: string): Promise<FeaturesResult> {
  await startBackend("cpu");
  writeTinyEncoder(folder, { imageSize: IMAGE_SIZE, patchSize: 8, width: 24 });
  const source = await openTransformersSource(folder);

  const language = createDecoder(
    decoderConfig({ vocabularySize: VOCABULARY, width: 16, depth: 2, heads: 2, inner: 32, tiedHead: true }),
  );
  const projector = createProjector("mlp2x_gelu", { features: source.width, width: language.width });
  const objective = createVlmObjective({
    encoder: null, // the batches carry features
    projector,
    language,
    losses: [{ loss: createDirectionLoss({ normalise: "sum" }), weightAt: () => 0.05 }],
  });

  const store = createMemoryStore();
  const data = await colorData(source);
  await train({ recipe, objective: () => objective, data: () => data, store });
  for (const group of Object.values(objective.groups)) group.dispose();

  const lines = (await readMetrics(store)).filter((line) => line.kind === "train");
  return { first: lines[0] as TrainLine, last: lines.at(-1) as TrainLine };
}

const recipe = defineRecipe({
  name: "transformers-features",
  model: { vision: "transformers-js", projector: "mlp2x_gelu", language: "llama" },
  data: { train: { align: "in memory" } },
  stages: {
    align: { train: ["projector", "language"], steps: 60, batchSize: 8, learningRate: 1e-2 },
  },
});

/** Pictures of one noisy colour each with its name as the caption; the features are computed once. */
async function colorData(source: FeatureSource): Promise<TrainingData<VlmBatch>> {
  const features = await source.features(drawPictures());
  return {
    size: PICTURES,
    batch: async (indices) => {
      const samples = Array.from(indices, captionOf);
      const rows = Array.from(indices, (i) => [rowsOf(features, i).length / features.width]);
      const visual = pick(features, indices);
      return { packed: packSamples(samples, rows), visual, sampleIds: samples.map(({ id }) => id) };
    },
  };
}

function captionOf(picture: number) {
  const { token } = colorOf(picture);
  const ids = Int32Array.of(START, IMAGE_SLOT, token, END);
  return { id: `picture ${picture}`, images: [`${picture}`], ids, weights: Float32Array.of(0, 0, 1, 1) };
}

function drawPictures(): ImageBatch {
  const random = createRandom(0, "pictures");
  const area = IMAGE_SIZE * IMAGE_SIZE;
  const pixels = Float32Array.from({ length: PICTURES * area * 3 }, (_, i) => {
    const { rgb } = colorOf(Math.floor(i / (area * 3)));
    return (rgb[i % 3] as number) + random.uniform() - 0.5;
  });
  return { pixels, shape: [PICTURES, IMAGE_SIZE, IMAGE_SIZE, 3] };
}

function colorOf(picture: number): (typeof COLORS)[number] {
  return COLORS[picture % COLORS.length] as (typeof COLORS)[number];
}

function rowsOf({ values, width, offsets }: HostVisualRows, picture: number): Float32Array {
  return values.subarray((offsets[picture] as number) * width, (offsets[picture + 1] as number) * width);
}

function pick(features: HostVisualRows, pictures: Int32Array): HostVisualRows {
  const { width, grids } = features;
  const chosen = Array.from(pictures, (picture) => rowsOf(features, picture));
  const each = (chosen[0]?.length ?? 0) / width;
  return {
    values: Float32Array.from(chosen.flatMap((rows) => [...rows])),
    width,
    offsets: Int32Array.from({ length: pictures.length + 1 }, (_, i) => i * each),
    grids: Array.from(pictures, (picture) => grids[picture] ?? null),
  };
}

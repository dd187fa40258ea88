// Training steps at the sizes of the quickstart, with fewer samples: language alone, and with pictures and both losses.
import {
  createDecoder,
  createDirectionLoss,
  createDistributionLoss,
  createLanguageObjective,
  createOptimizer,
  createProjector,
  createVlmObjective,
  decoderConfig,
  disposeStep,
  singleProcess,
  trainStep,
} from "@basic-mllm/core";

const SIZES = { vocabularySize: 1518, width: 128, depth: 4, heads: 4, inner: 384, tiedHead: true };
const TITLE = `D=${SIZES.width}/depth=${SIZES.depth}/V=${SIZES.vocabularySize}`;
/** Rows of a sample, and of its picture. */
const SAMPLE = 32;
const PATCHES = 16;
const FEATURES = 128;

/** `name`: as a filter finds them. */
export const stepCases = [
  { step: openMultimodalStep, name: "multimodal-step", title: `multimodal step/${TITLE}/R=${2 * SAMPLE}` },
  { step: openLanguageStep, name: "language-step", title: `training step/${TITLE}/R=${2 * SAMPLE}` },
];

/** @returns `run`, as of a kernel case: the step gives the norm of its gradient. */
export function openStep({ step }) {
  return { run: { "training step": step() } };
}

function openLanguageStep() {
  const objective = createLanguageObjective(createDecoder(decoderConfig(SIZES)));
  return runner(objective, { packed: pack(2, false) });
}

function openMultimodalStep() {
  const projector = createProjector("mlp2x_gelu", { features: FEATURES, width: SIZES.width, seed: 1 });
  const losses = [
    { loss: createDirectionLoss(), weightAt: () => 0.05 },
    { loss: createDistributionLoss(), weightAt: () => 0.01 },
  ];
  const language = createDecoder(decoderConfig(SIZES));
  const objective = createVlmObjective({ encoder: null, projector, language, losses });
  const packed = pack(2, true);
  const visual = {
    values: Float32Array.from({ length: 2 * PATCHES * FEATURES }, (_, i) => Math.sin(7 * i)),
    width: FEATURES,
    offsets: Int32Array.of(0, PATCHES, 2 * PATCHES),
    grids: [
      [4, 4],
      [4, 4],
    ],
  };
  const batch = { packed, visual, sampleIds: ["a", "b"] };
  return runner(objective, batch);
}

/** Samples of equal length; a picture follows the first token. */
function pack(samples, pictures) {
  const rows = Array.from({ length: samples * SAMPLE }, (_, row) => row);
  const isVisual = (row) => pictures && row % SAMPLE > 0 && row % SAMPLE <= PATCHES;
  const starts = Array.from({ length: samples }, (_, sample) => sample * SAMPLE);
  let seen = 0;
  const ids = Int32Array.from(rows, (row) =>
    isVisual(row) ? -1 - seen++ : (row * 7919) % SIZES.vocabularySize,
  );
  return {
    ids,
    offsets: Int32Array.of(...starts, samples * SAMPLE),
    positions: Int32Array.from(rows, (row) => row % SAMPLE),
    images: pictures ? starts.map((start, sample) => ({ sample, start: start + 1, length: PATCHES })) : [],
    countsAsText: ids.map((id) => (id < 0 ? 0 : 1)),
    labels: Int32Array.from(rows, (row) =>
      (row + 1) % SAMPLE === 0 || (ids[row + 1] ?? -1) < 0 ? -100 : ids[row + 1],
    ),
  };
}

/** A step that trains all parameters, and waits for the device. */
function runner(objective, batch) {
  const parameters = Object.values(objective.groups).flatMap((group) => [...group]);
  const groups = [{ name: "all", parameters, learningRate: 1e-3, weightDecay: 0.01 }];
  const optimizer = createOptimizer({ groups, betas: [0.9, 0.95], epsilon: 1e-8, maxNorm: 1 });
  const position = { stage: "train", step: 0, steps: 10 };
  const input = { objective, batches: [batch], position, reduction: "global", collective: singleProcess };
  return async () => {
    const outcome = await trainStep(input, optimizer, 1);
    const norm = outcome.norm.clone();
    disposeStep(outcome);
    await norm.data();
    return [norm];
  };
}

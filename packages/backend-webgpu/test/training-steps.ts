import {
  createDecoder,
  createDirectionLoss,
  createDistributionLoss,
  createLanguageObjective,
  createOptimizer,
  createProjector,
  createVlmObjective,
  type Decoder,
  decoderConfig,
  disposeStep,
  type HostVisualRows,
  type Objective,
  type PackedRows,
  type Parameter,
  singleProcess,
  trainStep,
  type VlmBatch,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { expect, vi } from "vitest";

import { startedBackend } from "../src/index.js";

const VOCABULARY = 13;
const WIDTH = 8;
const FEATURES = 5;
/** Rows of an image, which follow the first row of its sample. */
const PATCHES = 4;

/** Samples of these lengths, the longer ones with an image where `pictures` says so. */
function batch(lengths: readonly number[], pictures: boolean): VlmBatch {
  const offsets = Int32Array.from([0, ...lengths]);
  for (let i = 1; i < offsets.length; i++) offsets[i] = (offsets[i] ?? 0) + (offsets[i - 1] ?? 0);
  const images = lengths.flatMap((length, sample) =>
    pictures && length > PATCHES + 2 ? [{ sample, start: (offsets[sample] ?? 0) + 1, length: PATCHES }] : [],
  );
  const visual = new Set(images.flatMap(({ start }) => Array.from({ length: PATCHES }, (_, i) => start + i)));
  const positions = Int32Array.from(lengths.flatMap((length) => Array.from({ length }, (_, i) => i)));
  let seen = 0;
  const ids = positions.map((at, row) => (visual.has(row) ? -1 - seen++ : (3 * at + row) % VOCABULARY));
  const packed: PackedRows = {
    ids,
    offsets,
    positions,
    images,
    countsAsText: ids.map((id) => (id < 0 ? 0 : 1)),
    labels: ids.map((_, row) => {
      const next = ids[row + 1] ?? -1;
      return offsets.includes(row + 1) || next < 0 ? -100 : next;
    }),
  };
  const sampleIds = lengths.map((_, sample) => `sample-${sample}`);
  return { packed, visual: images.length === 0 ? null : features(images.length), sampleIds };
}

function features(count: number): HostVisualRows {
  return {
    values: Float32Array.from({ length: count * PATCHES * FEATURES }, (_, i) => Math.sin(7 * i)),
    width: FEATURES,
    offsets: Int32Array.from({ length: count + 1 }, (_, i) => i * PATCHES),
    grids: Array.from({ length: count }, () => [2, 2] as const),
  };
}

function decoder(depth: number): Decoder {
  const sizes = { vocabularySize: VOCABULARY, width: WIDTH, depth, heads: 2, inner: 12, tiedHead: true };
  return createDecoder(decoderConfig({ ...sizes, initialStd: 0.3 }));
}

/** A model, and batches whose row counts differ from step to step, as packed samples do. */
export interface Setup {
  readonly objective: Objective<VlmBatch>;
  readonly parameters: readonly Parameter[];
  readonly batches: readonly VlmBatch[];
}

export function languageModel(): Setup {
  const objective = createLanguageObjective(decoder(1));
  const batches = [[3, 5], [7], [2, 2, 9], [1, 6]].map((lengths) => batch(lengths, false));
  return { objective, parameters: [...(objective.groups["language"] ?? [])], batches };
}

/** With the losses of the paper on the projected rows. */
export function multimodalModel(): Setup {
  const language = decoder(4);
  const projector = createProjector("mlp2x_gelu", { features: FEATURES, width: WIDTH, seed: 1 });
  const losses = [
    { loss: createDirectionLoss(), weightAt: () => 0.1 },
    { loss: createDistributionLoss(), weightAt: () => 0.01 },
  ];
  const objective = createVlmObjective({ encoder: null, projector, language, losses });
  const batches = [[9, 5], [10], [2, 7, 9], [8, 3]].map((lengths) => batch(lengths, true));
  return { objective, parameters: Object.values(objective.groups).flatMap((group) => [...group]), batches };
}

function training({ objective, parameters, batches }: Setup) {
  const optimizer = createOptimizer({
    groups: [{ name: "all", parameters, learningRate: 0.01, weightDecay: 0.01 }],
    betas: [0.9, 0.95],
    epsilon: 1e-8,
    maxNorm: 1,
  });
  return (i: number) => {
    // Every fourth step adds up two micro-batches.
    const own = batches.slice(i % 4, (i % 4) + (i % 4 === 0 ? 2 : 1));
    const position = { stage: "train", step: i, steps: 240 };
    const input = {
      objective,
      batches: own,
      position,
      reduction: "global",
      collective: singleProcess,
    } as const;
    return trainStep(input, optimizer, 1);
  };
}

/** What lives on the device. Reading one value waits until all commands are done. */
async function living() {
  const probe = tf.ones([1]);
  await probe.data();
  probe.dispose();
  const { pool, pipelines, hostBuffers } = startedBackend();
  return {
    tensors: tf.memory().numTensors,
    dataIds: tf.memory().numDataBuffers,
    // Uniforms that hold the step's number differ from step to step; how many are kept is bounded elsewhere.
    buffers: pool.getNumUsedBuffers() - hostBuffers,
    pipelines: pipelines.size,
  };
}

/** 200 steps that read nothing back, leave no tensor, buffer or pipeline behind, and lower the loss. */
export async function checkSteps(setup: Setup): Promise<void> {
  const step = training(setup);
  const losses: number[] = [];
  const first = await step(0);
  losses.push((await first.loss.data())[0] as number);
  disposeStep(first);
  for (let i = 1; i < 8; i++) disposeStep(await step(i));
  const before = await living();
  const backend = startedBackend();
  const reads = [vi.spyOn(backend, "read"), vi.spyOn(backend, "readSync")];
  for (let i = 8; i < 207; i++) disposeStep(await step(i));
  const last = await step(207);
  expect(reads.map(({ mock }) => mock.calls.length)).toEqual([0, 0]);
  for (const read of reads) read.mockRestore();
  losses.push((await last.loss.data())[0] as number);
  disposeStep(last);
  expect(await living()).toEqual(before);
  expect(losses[1]).toBeLessThan((losses[0] as number) / 2);
}

import {
  createDecoder,
  createLanguageObjective,
  createOptimizer,
  decoderConfig,
  disposeStep,
  type LanguageBatch,
  type PackedRows,
  singleProcess,
  trainStep,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { start, startedBackend } from "../src/index.js";

beforeAll(() => start());

const VOCABULARY = 13;

/** Samples of these lengths. */
function batch(lengths: readonly number[]): LanguageBatch {
  const offsets = Int32Array.from([0, ...lengths]);
  for (let i = 1; i < offsets.length; i++) offsets[i] = (offsets[i] ?? 0) + (offsets[i - 1] ?? 0);
  const positions = Int32Array.from(lengths.flatMap((length) => Array.from({ length }, (_, i) => i)));
  const ids = positions.map((position, row) => (3 * position + row) % VOCABULARY);
  const packed: PackedRows = {
    ids,
    offsets,
    positions,
    images: [],
    countsAsText: ids.map(() => 1),
    labels: ids.map((_, row) => (offsets.includes(row + 1) ? -100 : (ids[row + 1] ?? -100))),
  };
  return { packed };
}

/** Row counts differ from step to step, as packed samples do. */
const BATCHES = [batch([3, 5]), batch([7]), batch([2, 2, 9]), batch([1, 6])] as const;

function training() {
  const sizes = { vocabularySize: VOCABULARY, width: 8, depth: 1, heads: 2, inner: 12, tiedHead: true };
  const objective = createLanguageObjective(createDecoder(decoderConfig({ ...sizes, initialStd: 0.3 })));
  const parameters = [...(objective.groups["language"] ?? [])];
  const optimizer = createOptimizer({
    groups: [{ name: "language", parameters, learningRate: 0.01, weightDecay: 0.01 }],
    betas: [0.9, 0.95],
    epsilon: 1e-8,
    maxNorm: 1,
  });
  const step = async (i: number) => {
    // Every fourth step adds up two micro-batches.
    const batches = BATCHES.slice(i % 4, (i % 4) + (i % 4 === 0 ? 2 : 1));
    const position = { stage: "pretrain", step: i, steps: 240 };
    const input = { objective, batches, position, reduction: "global", collective: singleProcess } as const;
    return trainStep(input, optimizer, 1);
  };
  return { step };
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

describe("200 training steps", () => {
  it("read nothing back, leave no tensor, buffer or pipeline behind, and lower the loss", async () => {
    const { step } = training();
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
  }, 300_000);
});

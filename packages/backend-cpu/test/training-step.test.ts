import "@tensorflow/tfjs-backend-cpu";

import { setFallback, visualLosses } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import type { CpuBackend } from "../src/backend.js";
import { start } from "../src/start.js";
import { leakCounters } from "./compare.js";
import { createVlmTraining } from "./vlm-step.js";

async function losses(steps: number): Promise<number[]> {
  const training = createVlmTraining();
  const values: number[] = [];
  for (let i = 0; i < steps; i++) values.push(await training.step());
  training.dispose();
  return values;
}

it("trains a vision-language model as stock tfjs does, with no large tensor left to JavaScript", async () => {
  await tf.setBackend("cpu");
  const before = setFallback("reference");
  const expected = await losses(4);
  setFallback(before);
  await start({ threads: 2 });
  const called = (tf.backend() as CpuBackend).javascriptCalls();
  const actual = await losses(4);
  expect((tf.backend() as CpuBackend).javascriptCalls()).toEqual(called);
  for (const [i, loss] of expected.entries()) expect(actual[i]).toBeCloseTo(loss, 3);
  expect(actual[3]).toBeLessThan(actual[0] as number);
});

it.each(Object.keys(visualLosses))("leaves no large tensor of the loss %s to JavaScript", async (name) => {
  await start({ threads: 2 });
  const called = (tf.backend() as CpuBackend).javascriptCalls();
  const training = createVlmTraining([name]);
  await training.step();
  training.dispose();
  expect((tf.backend() as CpuBackend).javascriptCalls()).toEqual(called);
});

it("trains to the same bits whatever the number of threads", async () => {
  await start({ threads: 1 });
  const expected = await losses(3);
  await start({ threads: 3 });
  expect(await losses(3)).toEqual(expected);
});

it("needs no more memory from step to step, and gives it all back", async () => {
  await start({ threads: 2 });
  const { native } = tf.backend() as CpuBackend;
  const empty = leakCounters();
  const training = createVlmTraining();
  await training.step();
  await training.step();
  const [live, bytes] = [leakCounters(), native.blockBytes()];
  for (let i = 0; i < 5; i++) await training.step();
  expect(leakCounters()).toEqual(live);
  expect(native.blockBytes()).toBe(bytes);
  training.dispose();
  expect(leakCounters()).toEqual(empty);
});

it("rehearses the memory of training to the byte, and computes nothing meanwhile", async () => {
  await start({ threads: 2 });
  const backend = tf.backend() as CpuBackend;
  backend.dispose();
  const [empty, bytes] = [leakCounters(), backend.native.blockBytes()];
  const train = async (): Promise<void> => {
    const training = createVlmTraining();
    for (let i = 0; i < 3; i++) await training.step();
    training.dispose();
  };
  const predicted = await backend.rehearse(train);
  expect([leakCounters(), backend.native.blockBytes()]).toEqual([empty, bytes]);
  await train();
  expect(backend.native.blockBytes() - bytes).toBe(predicted);
  expect(await backend.rehearse(train)).toBe(0);
});

it("refuses a rehearsal that leaves tensors behind: they have no values", async () => {
  await start({ threads: 2 });
  const backend = tf.backend() as CpuBackend;
  const kept: tf.Tensor[] = [];
  const keeping = backend.rehearse(async () => {
    kept.push(tf.tensor1d([1, 2, 3]));
  });
  await expect(keeping).rejects.toThrowErrorMatchingInlineSnapshot(
    `[BasicError: Steps were gone through without computing, to learn their memory, and 1 tensors are left of them, which have no values. Something keeps tensors that it makes in a step: let it make them before the first one, or leave out --dry and --memory-limit. [E_CONFIG]]`,
  );
  tf.dispose(kept);
});

import "@tensorflow/tfjs-backend-cpu";

import { setFallback } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import type { CpuBackend } from "../src/backend.js";
import { start } from "../src/start.js";
import { leakCounters } from "./compare.js";
import { createVlmTraining } from "./vlm-step.js";

/** More elements than this are no bookkeeping. */
const TENSOR_SIZE = 64;

/** Kernels that only hand on their input. */
const ALIASES = ["Identity", "Reshape", "ExpandDims"];

const slow = new Map<string, number>();

/** Wraps the JavaScript kernels, before ours are made of them, to count calls with many elements. */
function watchJavaScriptKernels(): void {
  for (const kernel of tf.getKernelsForBackend("cpu")) {
    const { kernelName, kernelFunc } = kernel;
    if (ALIASES.includes(kernelName)) continue;
    (kernel as { kernelFunc: tf.KernelFunc }).kernelFunc = (call) => {
      const result = kernelFunc(call);
      const tensors = [result, Object.values(call.inputs)].flat(2) as (tf.TensorInfo | undefined)[];
      const largest = Math.max(...tensors.map((tensor) => tf.util.sizeFromShape(tensor?.shape ?? [])));
      if (largest > TENSOR_SIZE) slow.set(kernelName, (slow.get(kernelName) ?? 0) + 1);
      return result;
    };
  }
}

watchJavaScriptKernels();

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
  expect(slow.size).toBeGreaterThan(5);
  await start({ threads: 2 });
  slow.clear();
  const actual = await losses(4);
  expect(Object.fromEntries(slow)).toEqual({});
  for (const [i, loss] of expected.entries()) expect(actual[i]).toBeCloseTo(loss, 3);
  expect(actual[3]).toBeLessThan(actual[0] as number);
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

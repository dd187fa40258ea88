import "@tensorflow/tfjs-backend-cpu";

import { setFallback, visualLosses } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { createVlmTraining } from "../../backend-cpu/test/vlm-step.js";
import { start, startedBackend } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";

async function losses(steps: number): Promise<number[]> {
  const training = createVlmTraining();
  const values: number[] = [];
  for (let i = 0; i < steps; i++) values.push(await training.step());
  training.dispose();
  return values;
}

/** The emulator compiles every kernel of a step first. */
const TIMEOUT = 900_000;

it(
  "trains a vision-language model as stock tfjs does, waits for nothing and gives everything back",
  async () => {
    await tf.setBackend("cpu");
    const before = setFallback("reference");
    const expected = await losses(2);
    setFallback(before);
    await start(TEST_DEVICE);
    const counters = () => ({ tensors: tf.memory().numTensors, data: tf.backend().numDataIds() });
    const empty = counters();
    const training = createVlmTraining();
    const actual = [await training.step()];
    const living = counters();
    actual.push(await training.step());
    expect(counters()).toEqual(living);
    training.dispose();
    expect(counters()).toEqual(empty);
    for (const [i, loss] of expected.entries()) expect(actual[i]).toBeCloseTo(loss, 3);
    expect(startedBackend().blockingReads).toBe(0);
  },
  TIMEOUT,
);

it.each(Object.keys(visualLosses))(
  "has the kernels of a step with the loss %s",
  async (name) => {
    await start(TEST_DEVICE);
    const training = createVlmTraining([name]);
    expect(await training.step()).toBeGreaterThan(0);
    training.dispose();
  },
  TIMEOUT,
);

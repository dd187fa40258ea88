import { expect, it } from "vitest";

import { createVlmTraining } from "../../backend-cpu/test/vlm-step.js";
import { start, startedBackend, stop } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";

const STEPS = 6;

/** The emulator compiles every kernel of a step first. */
const TIMEOUT = 900_000;

/** Losses of some steps. */
async function train(precision: "f32" | "bf16"): Promise<readonly number[]> {
  stop();
  await start({ ...TEST_DEVICE, precision });
  const training = createVlmTraining();
  const losses: number[] = [];
  for (let i = 0; i < STEPS; i++) losses.push(await training.step());
  training.dispose();
  expect(startedBackend().blockingReads).toBe(0);
  stop();
  return losses;
}

/** A loss is a sum of many terms, each rounded to eight bits at some places; steps of 1e-2 carry that on. */
const NEAR = 0.01;

it(
  "a vision-language model learns in bfloat16 as in float32",
  async () => {
    const [exact, rounded] = [await train("f32"), await train("bf16")];
    for (const [i, loss] of exact.slice(0, 3).entries()) {
      expect(Math.abs((rounded[i] as number) - loss)).toBeLessThan(NEAR * loss);
    }
    expect(rounded.at(-1)).toBeLessThan((rounded[0] as number) / 2);
  },
  TIMEOUT,
);

it(
  "gives the same bits in every run",
  async () => {
    expect(await train("bf16")).toEqual(await train("bf16"));
  },
  TIMEOUT,
);

import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, expect, it } from "vitest";

import {
  createRegression,
  finalState,
  linesOf,
  regressionRecipe,
  regressionRun,
  startStockCpu,
} from "../../test/regression.js";
import { train } from "./loop.js";
import type { PreparingBackend } from "./prepare.js";
import type { TrainEvent } from "./train-options.js";

beforeAll(startStockCpu);
afterEach(() => {
  delete (tf.backend() as { prepare?: unknown }).prepare;
});

/** Makes the current backend one that prepares. */
function preparing(prepare: PreparingBackend["prepare"]): void {
  (tf.backend() as Partial<PreparingBackend>).prepare = prepare;
}

/** Trains to the end. */
async function trained(change: Parameters<typeof regressionRun>[0] = {}) {
  const run = regressionRun(change);
  await train(run);
  run.dispose();
  return run.files;
}

it("prepares a stage before its first step, and tells how many kernels are compiled", async () => {
  let kernels = 0;
  preparing(async (_, onCompile) => {
    kernels += 7;
    // The second stage finds all of them.
    if (kernels === 7) onCompile?.(kernels);
  });
  const events: TrainEvent[] = [];
  await trained({ onEvent: (event) => events.push(event) });
  expect(kernels).toBe(14);
  const order = events.filter(({ kind }) => kind !== "metrics" && kind !== "checkpoint").slice(0, 3);
  expect(order).toEqual([
    { kind: "stage-start", stage: "align", step: 0, globalStep: 0, steps: 6 },
    { kind: "compile", stage: "align", step: 0, globalStep: 0, kernels: 7 },
    { kind: "step", stage: "align", step: 1, globalStep: 1, steps: 6 },
  ]);
  expect(events.filter(({ kind }) => kind === "compile")).toHaveLength(1);
});

it("goes through the step that comes first and the last one of the stage, and leaves nothing behind", async () => {
  const model = createRegression();
  const walked: string[] = [];
  let inside = false;
  const objective: typeof model = {
    ...model,
    parts: (batch, position) => {
      if (inside) walked.push(`${position.stage} ${position.step} of ${position.steps}`);
      return model.parts(batch, position);
    },
  };
  preparing(async (body) => {
    const { numTensors } = tf.memory();
    inside = true;
    body();
    inside = false;
    expect(tf.memory().numTensors).toBe(numTensors);
  });
  await trained({ objective: () => objective });
  const twice = (text: string) => [text, text];
  // Two micro-batches a step.
  expect(walked).toEqual([
    ...twice("align 0 of 6"),
    ...twice("align 5 of 6"),
    ...twice("finetune 0 of 7"),
    ...twice("finetune 6 of 7"),
  ]);
});

it("trains to the same bits with and without", async () => {
  const plain = await trained();
  preparing(async (body) => body());
  const prepared = await trained();
  expect(finalState(prepared)).toEqual(finalState(plain));
  expect(linesOf(prepared)).toEqual(linesOf(plain));
});

it("ends the run with what preparing throws", async () => {
  preparing(async () => {
    throw new Error("no such shader");
  });
  const recipe = regressionRecipe();
  await expect(trained({ recipe })).rejects.toThrow("no such shader");
});

it("asks for the micro-batches of the first step once", async () => {
  const { data: open, dispose } = regressionRun();
  dispose();
  const data = await open("align");
  const asked: number[] = [];
  preparing(async () => undefined);
  await trained({
    data: () => ({
      ...data,
      batch: (indices, position) => {
        asked.push(position.step);
        return data.batch(indices, position);
      },
    }),
  });
  expect(asked.filter((step) => step === 0)).toHaveLength(4);
});

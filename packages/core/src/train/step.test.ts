import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import {
  createRegression,
  type RegressionBatch,
  regressionData,
  startStockCpu,
} from "../../test/regression.js";
import { dropoutKey } from "../layers/dropout.js";
import { createOptimizer } from "../optim/adamw.js";
import { singleProcess } from "./collective.js";
import { disposeStep, type LossReduction, stepGradients, trainStep } from "./step.js";

beforeAll(startStockCpu);

const position = { stage: "align", step: 0, steps: 10 };
const data = regressionData(30);
const batchOf = (...indices: number[]) => data.batch(Int32Array.from(indices), position);

/** Loss, parts and gradients on the host. */
async function measure(batches: readonly RegressionBatch[], reduction: LossReduction) {
  const objective = createRegression();
  const parameters = Object.values(objective.groups).flatMap((set) => [...set]);
  const step = await stepGradients(
    { objective, batches, position, reduction, collective: singleProcess },
    parameters,
  );
  const gradients = await Promise.all(step.gradients.map(async (tensor) => [...(await tensor.data())]));
  const parts: Record<string, number> = {};
  for (const [name, { value }] of step.parts) parts[name] = (await value.data())[0] as number;
  const loss = (await step.loss.data())[0] as number;
  disposeStep(step);
  objective.dispose();
  return { loss, parts, gradients: gradients.flat(), totals: step.totals };
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, 5);
}

describe("stepGradients", () => {
  it("does not depend on how a step is split: 1 x 4 = 2 x 2 = 4 x 1", async () => {
    const whole = await measure([await batchOf(0, 1, 2, 4)], "global");
    const halves = await measure([await batchOf(0, 1), await batchOf(2, 4)], "global");
    const single = [await batchOf(0), await batchOf(1), await batchOf(2), await batchOf(4)];
    for (const split of [halves, await measure(single, "global")]) {
      expect(split.loss).toBeCloseTo(whole.loss, 5);
      expectClose(Object.values(split.parts), Object.values(whole.parts));
      expectClose(split.gradients, whole.gradients);
      expect(split.totals).toEqual(whole.totals);
    }
  });

  it("averages means of micro-batches where asked to, an absent image counting 0", async () => {
    const [left, right] = [await batchOf(0, 3, 6), await batchOf(1)];
    const both = await measure([left, right], "mean-of-means");
    const [first, second] = [await measure([left], "global"), await measure([right], "global")];
    expect(second.parts["direction"]).toBe(0);
    expect(both.loss).toBeCloseTo((first.loss + second.loss) / 2, 5);
    expect(both.parts["direction"]).toBeCloseTo((first.parts["direction"] as number) / 2, 6);
    expectClose(
      both.gradients,
      first.gradients.map((value, i) => (value + (second.gradients[i] as number)) / 2),
    );
    expect((await measure([left, right], "global")).loss).not.toBeCloseTo(both.loss, 3);
  });

  it("is 0 and finite where nothing counts", async () => {
    const batch = await batchOf(1, 2);
    const objective = createRegression();
    const nothing = { ...objective, count: () => ({ tokens: 0, samples: 0 }) };
    const parameters = [...(objective.groups["projector"] ?? [])];
    for (const reduction of ["global", "mean-of-means"] as const) {
      const step = await stepGradients(
        { objective: nothing, batches: [batch], position, reduction, collective: singleProcess },
        parameters,
      );
      expect((await step.loss.data())[0]).toBe(0);
      expect([...(await (step.gradients[0] as tf.Tensor).data())]).toEqual([0, 0, 0, 0, 0, 0]);
      disposeStep(step);
    }
  });

  it("logs a part of weight 0 without letting it change a gradient", async () => {
    const objective = createRegression();
    const parameters = [...(objective.groups["projector"] ?? [])];
    const weighted = (weight: number) => ({
      ...objective,
      parts: (...args: Parameters<typeof objective.parts>) =>
        objective.parts(...args).map((part) => (part.name === "direction" ? { ...part, weight } : part)),
    });
    const run = async (weight: number) => {
      const batches = [await batchOf(0, 1)];
      const input = { objective: weighted(weight), batches, position, collective: singleProcess };
      return stepGradients({ ...input, reduction: "global" }, parameters);
    };
    const [off, on] = [await run(0), await run(1)];
    expect((await off.parts.get("direction")?.value.data())?.[0]).toBeGreaterThan(0);
    expect((await off.loss.data())[0]).toBe((await off.parts.get("language")?.value.data())?.[0]);
    expect((await off.gradients[0]?.data())?.[0]).not.toBe((await on.gradients[0]?.data())?.[0]);
  });

  it("counts the micro-batches of a step over all ranks: dropout is that of one process", async () => {
    const objective = createRegression();
    const parameters = [...(objective.groups["projector"] ?? [])];
    const numbersOf = async (rank: number): Promise<(number | undefined)[]> => {
      const numbers: (number | undefined)[] = [];
      const parts = (...args: Parameters<typeof objective.parts>) => {
        numbers.push(dropoutKey()?.microBatch);
        return objective.parts(...args);
      };
      const batches = [await batchOf(0, 1), await batchOf(2)];
      const collective = { ...singleProcess, rank, size: 3 };
      const input = { objective: { ...objective, parts }, batches, position, collective };
      disposeStep(await stepGradients({ ...input, reduction: "global" }, parameters));
      return numbers;
    };
    expect(await Promise.all([0, 1, 2].map(numbersOf))).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
  });

  it("refuses two parts of one name, and leaks nothing", async () => {
    const objective = createRegression();
    const parameters = [...(objective.groups["projector"] ?? [])];
    const twice = {
      ...objective,
      parts: (...args: Parameters<typeof objective.parts>) =>
        objective.parts(...args).map((part) => ({ ...part, name: "direction" })),
    };
    const input = { batches: [await batchOf(0, 1)], position, collective: singleProcess };
    const before = tf.memory().numTensors;
    await expect(
      stepGradients({ ...input, objective: twice, reduction: "global" }, parameters),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The objective gives two loss parts named "direction", but metrics hold one of each name. Give one of them another name, or leave it out. [E_NAME_DUPLICATE]]`,
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  it("leaks no tensors, also when the objective throws", async () => {
    const objective = createRegression();
    const parameters = [...(objective.groups["projector"] ?? [])];
    const optimizer = createOptimizer({ groups: [{ name: "projector", parameters, learningRate: 0.1 }] });
    const batches = [await batchOf(0, 1), await batchOf(2)];
    const input = { objective, batches, position, reduction: "global", collective: singleProcess } as const;
    const before = tf.memory().numTensors;
    disposeStep(await trainStep(input, optimizer, 1));
    disposeStep(await trainStep(input, optimizer, 1));
    let calls = 0;
    const throwing = {
      ...objective,
      parts: (...args: Parameters<typeof objective.parts>) => {
        calls++;
        const parts = objective.parts(...args);
        return calls === 1 ? parts : [...parts, null as unknown as (typeof parts)[number]];
      },
    };
    await expect(stepGradients({ ...input, objective: throwing }, parameters)).rejects.toThrow(TypeError);
    expect(tf.memory().numTensors).toBe(before);
  });
});

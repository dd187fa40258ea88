import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { createRegression, startStockCpu } from "../../test/regression.js";
import { createOptimizer } from "../optim/adamw.js";
import {
  type Groups,
  listCheckpoints,
  loadCheckpoint,
  restoreParameters,
  saveCheckpoint,
} from "./checkpoint.js";
import { createMemoryStore } from "./memory-store.js";

beforeAll(startStockCpu);

/** A model with its optimizer, and a store to save it in. */
function makeRun() {
  const { groups } = createRegression();
  const parameters = [...(groups["projector"] ?? [])];
  const optimizer = createOptimizer({ groups: [{ name: "projector", parameters, learningRate: 0.1 }] });
  const store = createMemoryStore();
  const save = (globalStep: number, saved: Groups = groups) => {
    const position = { version: 1 as const, stage: "align", step: globalStep, globalStep, metricsLines: 5 };
    return saveCheckpoint(store, { position, groups: saved, optimizer });
  };
  return { groups, parameters, optimizer, store, save };
}

describe("saveCheckpoint", () => {
  it("holds everything that a resumed run needs, bit for bit", async () => {
    const { parameters, optimizer, store, save } = makeRun();
    const gradients = parameters.map(({ shape }) => tf.fill([...shape], 1 / 3));
    optimizer.update(gradients, { rate: 1 });
    await save(1);
    const checkpoint = await loadCheckpoint(store, "last");
    expect(checkpoint?.position).toEqual({
      version: 1,
      stage: "align",
      step: 1,
      globalStep: 1,
      metricsLines: 5,
    });
    expect(checkpoint?.optimizer).toEqual(await optimizer.exportState());
    const fresh = createRegression();
    if (checkpoint !== null) restoreParameters(checkpoint, fresh.groups);
    const restored = [...(fresh.groups["projector"] ?? [])];
    for (const [i, { value }] of parameters.entries()) {
      expect(await restored[i]?.value.data()).toEqual(await value.data());
    }
  });

  it("keeps the last two, in the order of their steps", async () => {
    const { store, save } = makeRun();
    for (const step of [8, 9, 10, 100]) await save(step);
    expect(await listCheckpoints(store)).toEqual(["checkpoints/step-00000010", "checkpoints/step-00000100"]);
    expect((await loadCheckpoint(store, "previous"))?.position.globalStep).toBe(10);
  });

  it("never saves a weight that is not finite", async () => {
    const { parameters, store, save } = makeRun();
    await save(1);
    parameters[1]?.assign(tf.tensor1d([Number.POSITIVE_INFINITY, 0]));
    await expect(save(2)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Parameter "bias" of group "projector" became NaN or infinite in an update. The last checkpoint is kept. Lower the learning rate, or lengthen the warm-up. [E_NOT_FINITE]]`,
    );
    expect(await listCheckpoints(store)).toEqual(["checkpoints/step-00000001"]);
  });

  it("is restored into a model that has the same groups only", async () => {
    const { groups, store, save } = makeRun();
    await save(1);
    const checkpoint = await loadCheckpoint(store, "last");
    if (checkpoint === null) throw new Error("it was just saved");
    const { language } = groups;
    expect(() => restoreParameters(checkpoint, language === undefined ? {} : { language })).toThrow(
      /holds "projector\/weight" \[3, 2\], which the model lacks/,
    );
  });
});

describe("loadCheckpoint", () => {
  it("finds nothing in a run that has not saved yet", async () => {
    expect(await loadCheckpoint(createMemoryStore(), "last")).toBeNull();
  });
});

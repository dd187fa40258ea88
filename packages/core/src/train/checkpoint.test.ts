import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it, vi } from "vitest";

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
import type { FileContent } from "./run-store.js";
import { decodeTensors, encodeTensors, type TensorFile } from "./state.js";

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

  it("reads nothing to the host before the file is written", async () => {
    const { groups, optimizer } = makeRun();
    const read = vi.spyOn(tf.backend(), "read");
    const reads: number[] = [];
    const store = {
      ...createMemoryStore(),
      writeFolder: async (_: string, files: Readonly<Record<string, FileContent>>) => {
        const before = read.mock.calls.length;
        for await (const _ of files["state.safetensors"] as AsyncIterable<Uint8Array>) {
          reads.push(read.mock.calls.length - before);
        }
      },
    };
    const position = { version: 1 as const, stage: "align", step: 1, globalStep: 1, metricsLines: 5 };
    await saveCheckpoint(store, { position, groups, optimizer });
    read.mockRestore();
    const parameters = Object.values(groups).flatMap((set) => [...set]);
    // The header, then all of so small a run.
    expect(reads).toEqual([0, parameters.length + 2 * optimizer.parameters.length]);
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

  /** A saved checkpoint whose files were rewritten, with the right hashes: as another program would leave it. */
  async function rewritten(
    change: (position: Record<string, unknown>, file: TensorFile) => { position?: string; file?: TensorFile },
  ) {
    const { store, save } = makeRun();
    const folder = await save(1);
    const files = await store.readFolder(folder);
    const text = new TextDecoder().decode(files["position.json"]);
    const tensors = decodeTensors(files["state.safetensors"] as Uint8Array, folder);
    const { position = text, file = tensors } = change(JSON.parse(text), tensors);
    await store.writeFolder(folder, {
      "position.json": new TextEncoder().encode(position),
      "state.safetensors": encodeTensors(file),
    });
    return loadCheckpoint(store, "last");
  }

  it("refuses another version of the format", async () => {
    await expect(
      rewritten((position) => ({ position: JSON.stringify({ ...position, version: 2 }) })),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000001 has version 2 of the format, but this program reads version 1. Resume with the release that wrote it, or start a new run in another folder. [E_RESUME_CHANGED]]`,
    );
  });

  it("names a position that cannot be read", async () => {
    await expect(rewritten(() => ({ position: "{" }))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000001 is damaged: position.json is not JSON. There is no earlier one: start the run again in another folder. [E_CHECKPOINT_CORRUPT]]`,
    );
    await expect(rewritten(() => ({ position: "null" }))).rejects.toThrow(
      /`version` of position.json is missing/,
    );
    await expect(
      rewritten((position) => ({ position: JSON.stringify({ ...position, step: -1 }) })),
    ).rejects.toThrow(/`step` of position.json is -1\. .*\[E_CHECKPOINT_CORRUPT\]/);
  });

  it("names the optimizer state that is missing", async () => {
    await expect(
      rewritten((_, file) => ({ file: { ...file, metadata: {} } })),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000001 is damaged: \`optimizerStep\` is missing, expected a whole number. There is no earlier one: start the run again in another folder. [E_CHECKPOINT_CORRUPT]]`,
    );
    await expect(
      rewritten((_, { tensors, metadata }) => ({
        file: { metadata, tensors: new Map([...tensors].filter(([name]) => name !== "health")) },
      })),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000001 is damaged: the tensor "health" is missing. There is no earlier one: start the run again in another folder. [E_CHECKPOINT_CORRUPT]]`,
    );
  });

  it("names a parameter of a saved group that is missing", async () => {
    const checkpoint = await rewritten((_, { tensors, metadata }) => ({
      file: {
        metadata,
        tensors: new Map([...tensors].filter(([name]) => name !== "parameter/projector/bias")),
      },
    }));
    if (checkpoint === null) throw new Error("it was just saved");
    const { groups } = createRegression();
    expect(() => restoreParameters(checkpoint, groups)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000001 lacks "projector/bias" [2], which the model has. It belongs to another model; use the recipe that wrote it. [E_CHECKPOINT_CORRUPT]]`,
    );
  });
});

import { beforeAll, describe, expect, it } from "vitest";

import {
  finalState,
  linesOf,
  regressionData,
  regressionRecipe,
  regressionRun,
  startStockCpu,
} from "../../test/regression.js";
import { BasicError } from "../errors.js";
import type { Recipe } from "../recipe.js";
import { train } from "./loop.js";
import { createMemoryStore, type MemoryFiles } from "./memory-store.js";
import type { RunStore } from "./run-store.js";

type Change = Parameters<typeof regressionRun>[0];
let whole: MemoryFiles;

beforeAll(async () => {
  await startStockCpu();
  whole = await runToEnd();
});

async function runToEnd(change: Change = {}): Promise<MemoryFiles> {
  const run = regressionRun(change);
  await train(run);
  run.dispose();
  return run.files;
}

/** Aborts after a number of steps of the whole run. */
async function stopAfter(
  steps: number,
  change: Change = {},
): Promise<{ files: MemoryFiles; error: unknown }> {
  const controller = new AbortController();
  const run = regressionRun({
    ...change,
    signal: controller.signal,
    onEvent: (event) => {
      if (event.kind === "step" && event.globalStep === steps) controller.abort();
    },
  });
  const error = await train(run).catch((reason: unknown) => reason);
  run.dispose();
  return { files: run.files, error };
}

/** A store whose n-th write (of any kind) fails, as if the process had died there. */
function failingStore(files: MemoryFiles, failure: { at: number; error: Error }): RunStore {
  const store = createMemoryStore(files);
  let writes = 0;
  const guard = <Args extends unknown[]>(write: (...args: Args) => Promise<void>) => {
    return async (...args: Args) => {
      writes++;
      if (writes >= failure.at) throw failure.error;
      await write(...args);
    };
  };
  return {
    ...store,
    write: guard(store.write),
    append: guard(store.append),
    writeFolder: guard(store.writeFolder),
    remove: guard(store.remove),
    truncateLines: guard(store.truncateLines),
  };
}

function expectSameRun(files: MemoryFiles): void {
  expect(finalState(files)).toEqual(finalState(whole));
  expect(linesOf(files)).toEqual(linesOf(whole));
}

describe("resume", () => {
  it.each([1, 3, 4, 5, 6, 7, 11, 12])("is bit-identical after a stop at step %i", async (step) => {
    const { files, error } = await stopAfter(step);
    expect(error).toMatchObject({ code: "E_INTERRUPTED" });
    await runToEnd({ files, resume: "last" });
    expectSameRun(files);
  });

  it.each(["bfloat16", "int8"] as const)("is bit-identical with %s moments", async (moments) => {
    const recipe = regressionRecipe({ moments });
    const expected = await runToEnd({ recipe });
    const { files } = await stopAfter(9, { recipe });
    await runToEnd({ files, recipe, resume: "last" });
    expect(finalState(files)).toEqual(finalState(expected));
    expect(linesOf(files)).toEqual(linesOf(expected));
    expect(finalState(files)).not.toEqual(finalState(whole));
  });

  it.each([1, 5, 8, 11])("is bit-identical with grouped samples after a stop at step %i", async (step) => {
    const recipe = regressionRecipe({ grouping: "modality-length", prefetch: 3 });
    const expected = await runToEnd({ recipe });
    const { files } = await stopAfter(step, { recipe });
    await runToEnd({ files, recipe, resume: "last" });
    expect(finalState(files)).toEqual(finalState(expected));
    expect(linesOf(files)).toEqual(linesOf(expected));
    expect(finalState(files)).not.toEqual(finalState(whole));
  });

  it.each([1, 5, 8, 11])("is bit-identical with packed samples after a stop at step %i", async (step) => {
    const recipe = regressionRecipe({ packing: "rows", rowBudget: 15, prefetch: 3 });
    const expected = await runToEnd({ recipe });
    const { files } = await stopAfter(step, { recipe });
    await runToEnd({ files, recipe, resume: "last" });
    expect(finalState(files)).toEqual(finalState(expected));
    expect(linesOf(files)).toEqual(linesOf(expected));
    expect(finalState(files)).not.toEqual(finalState(whole));
  });

  it("says what grouping and packing lack", async () => {
    const refused = async (
      change: Parameters<typeof regressionRecipe>[0],
      data?: NonNullable<Change>["data"],
    ) => {
      const recipe = regressionRecipe(change);
      const run = regressionRun({ recipe, ...(data !== undefined && { data }) });
      const error = (await train(run).catch((reason: unknown) => reason)) as BasicError;
      run.dispose();
      return error.message;
    };
    const grouping = "modality-length";
    expect(await refused({ grouping, shuffle: false })).toMatchInlineSnapshot(
      `"stage "align": grouping "modality-length" puts samples into an order of its own, and shuffle is false. Leave one of them out. [E_CONFIG]"`,
    );
    const { sizes: _, ...without } = regressionData(30);
    expect(await refused({ packing: "rows" }, () => without)).toMatchInlineSnapshot(
      `"stage "align": packing "rows" needs the rows of each sample, and this data does not tell them. Leave packing out, or give the data a method sizes(). [E_CONFIG]"`,
    );
    expect(await refused({ grouping }, () => without)).toMatchInlineSnapshot(
      `"stage "align": grouping "modality-length" needs the rows of each sample, and this data does not tell them. Leave grouping out, or give the data a method sizes(). [E_CONFIG]"`,
    );
  });

  it("says where the run stands when it is stopped", async () => {
    const { error } = await stopAfter(3);
    expect(error).toMatchInlineSnapshot(
      `[BasicError: Stopped after step 3 of 6 of stage "align". The state is saved in checkpoints/step-00000003; resume the run to go on. [E_INTERRUPTED]]`,
    );
  });

  it("is bit-identical after several stops", async () => {
    const { files } = await stopAfter(2);
    for (const step of [5, 6, 9]) await stopAfter(step, { files, resume: "last" });
    await runToEnd({ files, resume: "last" });
    expectSameRun(files);
  });

  it("is bit-identical after a crash at any write", async () => {
    for (let at = 2; ; at++) {
      const files: MemoryFiles = new Map();
      const store = failingStore(files, { at, error: new Error("killed") });
      const run = regressionRun({ files, store });
      const error = await train(run).catch((reason: unknown) => reason);
      run.dispose();
      if (!(error instanceof Error)) break;
      expect(error.message).toBe("killed");
      await runToEnd({ files, resume: "last" });
      expectSameRun(files);
    }
  });

  it("finishes without an error where the stop comes after the last step", async () => {
    const { files, error } = await stopAfter(13);
    expect(error).toMatchObject({ globalStep: 13 });
    expectSameRun(files);
  });

  it("does nothing where the run is complete", async () => {
    const files: MemoryFiles = new Map(whole);
    await runToEnd({ files, resume: "last" });
    expectSameRun(files);
  });

  it("refuses a changed recipe and lists what differs", async () => {
    const { files } = await stopAfter(3);
    const recipe = {
      ...regressionRecipe({ learningRate: 0.1, maxNorm: 0.5 }),
      seed: 4,
      description: "new words",
    };
    await expect(runToEnd({ files, recipe, resume: "last" })).rejects.toThrowErrorMatchingInlineSnapshot(`
      [BasicError: The recipe is not the one that the run in memory was started with:
        seed: 3 → 4
        stages.align.learningRate: 0.05 → 0.1
        stages.align.maxNorm: 1 → 0.5
        stages.finetune.learningRate: 0.05 → 0.1
        stages.finetune.maxNorm: 1 → 0.5
      Resume with the old values, or start a new run in another folder. [E_RESUME_CHANGED]]
    `);
    await runToEnd({ files, recipe: { ...regressionRecipe(), description: "new words" }, resume: "last" });
    expectSameRun(files);
  });

  it("refuses the stages in another order, which would change nothing else", async () => {
    const { files } = await stopAfter(3);
    const recipe = regressionRecipe();
    const turned = {
      ...recipe,
      stages: Object.fromEntries(Object.entries(recipe.stages).reverse()),
    } as Recipe;
    await expect(
      runToEnd({ files, recipe: turned, resume: "last" }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(`
      [BasicError: The recipe is not the one that the run in memory was started with:
        stages (order): ["align","finetune"] → ["finetune","align"]
      Resume with the old values, or start a new run in another folder. [E_RESUME_CHANGED]]
    `);
  });

  it("refuses data of another size", async () => {
    const { files } = await stopAfter(3);
    await expect(
      runToEnd({ files, data: () => regressionData(31), resume: "last" }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The data of stage "align" has 31 samples, but the run was started with 30. Resume with the same data, or start a new run in another folder. [E_RESUME_CHANGED]]`,
    );
  });

  it("says which file of the run is not JSON", async () => {
    const { files } = await stopAfter(3);
    const recipe = files.get("recipe.json") as Uint8Array;
    files.set("recipe.json", recipe.subarray(1));
    await expect(runToEnd({ files, resume: "last" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: recipe.json of the run in memory is not JSON. Put back the file that the run was started with, or start a new run in another folder. [E_CHECKPOINT_CORRUPT]]`,
    );
    files.set("recipe.json", recipe);
    const metrics = new TextDecoder().decode(files.get("metrics.jsonl"));
    files.set("metrics.jsonl", new TextEncoder().encode(metrics.replace("\n{", "\nnoise {")));
    await expect(runToEnd({ files, resume: "last" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: metrics.jsonl of memory, line 2 is not JSON: "noise {\\"kind\\":\\"train\\",\\"stage\\":\\"align\\",\\"s". Something else has written to that file: put back a copy of it, or start the run again in another folder. [E_CHECKPOINT_CORRUPT]]`,
    );
  });

  it("refuses to resume what is not there, and to start over what is", async () => {
    await expect(runToEnd({ resume: "last" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is no run in memory to resume. Start one without resume, or name its folder. [E_CHECKPOINT_MISSING]]`,
    );
    await expect(runToEnd({ files: new Map(whole) })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is a run in memory already. Resume it, remove it, or choose another folder. [E_USAGE]]`,
    );
  });

  it("refuses a run that another one uses, and frees it at the end", async () => {
    const run = regressionRun();
    const first = train(run);
    await expect(runToEnd({ files: run.files, resume: "last" })).rejects.toThrow(/\[E_RUN_LOCKED\]/);
    await first;
    await runToEnd({ files: run.files, resume: "last" });
    expectSameRun(run.files);
  });
});

describe("a damaged checkpoint", () => {
  /** Stopped at step 7: checkpoints after 6 and 7 steps; the last one is damaged. */
  async function damaged(damage: (files: MemoryFiles, folder: string) => void): Promise<MemoryFiles> {
    const { files } = await stopAfter(7);
    damage(files, "checkpoints/step-00000007");
    return files;
  }

  it("is found by its hash; the text names the one before it", async () => {
    const files = await damaged((all, folder) => {
      const path = `${folder}/state.safetensors`;
      const bytes = all.get(path)?.slice() as Uint8Array;
      bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
      all.set(path, bytes);
    });
    await expect(runToEnd({ files, resume: "last" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000007 is damaged: the hash of state.safetensors differs. The one before it is checkpoints/step-00000006: to continue from there, resume with "previous" (--resume --previous). [E_CHECKPOINT_CORRUPT]]`,
    );
    await runToEnd({ files, resume: "previous" });
    expectSameRun(files);
  });

  it("is found when a file is missing", async () => {
    const files = await damaged((all, folder) => all.delete(`${folder}/position.json`));
    await expect(runToEnd({ files, resume: "last" })).rejects.toThrow(/position.json is missing/);
    await runToEnd({ files, resume: "previous" });
    expectSameRun(files);
  });

  it("has no way back where it is the only one", async () => {
    const { files } = await stopAfter(2);
    files.delete("checkpoints/step-00000002/position.json");
    await expect(runToEnd({ files, resume: "last" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000002 is damaged: the file position.json is missing. There is no earlier one: start the run again in another folder. [E_CHECKPOINT_CORRUPT]]`,
    );
    await expect(runToEnd({ files, resume: "previous" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: memory has no checkpoint before the last one. Start the run again in another folder. [E_CHECKPOINT_MISSING]]`,
    );
  });

  it("of another model is not loaded", async () => {
    const { files } = await stopAfter(2);
    const { objective } = regressionRun();
    const other = async () => {
      const model = await objective("align");
      const { language } = model.groups;
      if (language === undefined) throw new Error("the model has that group");
      return { ...model, groups: { projector: language, language } };
    };
    await expect(
      runToEnd({ files, objective: other, resume: "last" }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Checkpoint checkpoints/step-00000002 lacks "projector/scale" [2], which the model has. It belongs to another model; use the recipe that wrote it. [E_CHECKPOINT_CORRUPT]]`,
    );
  });
});

describe("a full disk", () => {
  it("ends the run at any write, keeps the last checkpoint, and the run goes on when there is space", async () => {
    const full = new BasicError("E_DISK_FULL", "The disk is full.");
    for (const at of [3, 5, 9]) {
      const files: MemoryFiles = new Map();
      const run = regressionRun({ files, store: failingStore(files, { at, error: full }) });
      await expect(train(run)).rejects.toMatchObject({ code: "E_DISK_FULL" });
      run.dispose();
      await runToEnd({ files, resume: "last" });
      expectSameRun(files);
    }
  });
});

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import {
  createRegression,
  finalState,
  linesOf,
  regressionData,
  regressionRecipe,
  regressionRun,
  startStockCpu,
} from "../../test/regression.js";
import { BasicError } from "../errors.js";
import type { Collective } from "./collective.js";
import { train } from "./loop.js";
import { createMemoryStore, type MemoryFiles } from "./memory-store.js";
import type { TrainLine } from "./metrics.js";
import type { TrainEvent } from "./train-options.js";

beforeAll(startStockCpu);

/** Trains to the end without a stop. */
async function straight(change: Parameters<typeof regressionRun>[0] = {}) {
  const run = regressionRun(change);
  const result = await train(run);
  run.dispose();
  return { ...run, result };
}

describe("train", () => {
  it("runs the stages in order and writes a line of metrics every n steps", async () => {
    const { files, result } = await straight();
    expect(result).toEqual({ globalStep: 13, checkpoint: "checkpoints/step-00000013" });
    const lines = linesOf(files).map((line) => `${line.kind} ${line.stage} ${line.step} ${line.globalStep}`);
    expect(lines).toEqual([
      "stage align 0 0",
      "train align 1 1",
      "train align 2 2",
      "train align 4 4",
      "train align 6 6",
      "stage finetune 0 6",
      "train finetune 1 7",
      "train finetune 2 8",
      "train finetune 4 10",
      "train finetune 6 12",
      "train finetune 7 13",
    ]);
    expect(linesOf(files)[0]).toMatchObject({ steps: 6, trains: { projector: 8 }, frozen: { language: 2 } });
    const [first, last] = [linesOf(files)[1], linesOf(files).at(-1)] as [TrainLine, TrainLine];
    expect(last.loss).toBeLessThan(first.loss * 0.7);
    expect(first.weighted["direction"]).toBeCloseTo(0.01 * (first.parts["direction"] as number), 8);
    expect(first.loss).toBeCloseTo((first.weighted["language"] ?? 0) + (first.weighted["direction"] ?? 0), 4);
  });

  it("keeps the two newest checkpoints", async () => {
    const { files } = await straight();
    const folders = new Set(
      [...files.keys()].filter((path) => path.startsWith("checkpoints/")).map((path) => path.slice(12, 25)),
    );
    expect([...folders].sort()).toEqual(["step-00000010", "step-00000013"]);
  });

  it("changes only the groups that a stage trains", async () => {
    const model = createRegression();
    const seen: number[] = [];
    const [scale] = model.groups["language"] ?? [];
    if (scale === undefined) throw new Error("the model has that group");
    const onEvent = (event: TrainEvent) => {
      if (event.kind === "stage-end") seen.push((scale.value.dataSync() as Float32Array)[0] as number);
    };
    await straight({ objective: () => model, onEvent });
    expect(seen[0]).toBe(1);
    expect(seen[1]).not.toBe(1);
    expect([...(model.groups["projector"] ?? [])].every(({ trainable }) => trainable)).toBe(true);
  });

  it("gives the same bits twice", async () => {
    const [first, second] = [await straight(), await straight()];
    expect(finalState(first.files)).toEqual(finalState(second.files));
    expect(linesOf(first.files)).toEqual(linesOf(second.files));
  });

  it("evaluates during a stage and at its end, and writes what comes back", async () => {
    const moments: string[] = [];
    const { files } = await straight({
      recipe: regressionRecipe({ evaluateEvery: 3 }),
      evaluate: async ({ stage, step, stageEnd, final }) => {
        moments.push(`${stage} ${step} ${stageEnd} ${final}`);
        return [{ split: "test", metrics: { accuracy: 0.5 } }];
      },
    });
    expect(moments).toEqual([
      "align 3 false false",
      "align 6 true false",
      "finetune 3 false false",
      "finetune 6 false false",
      "finetune 7 true true",
    ]);
    const lines = linesOf(files).filter(({ kind }) => kind === "evaluation");
    expect(lines.at(-1)).toEqual({
      kind: "evaluation",
      stage: "finetune",
      step: 7,
      globalStep: 13,
      split: "test",
      metrics: { accuracy: 0.5 },
    });
  });

  it("tells its watcher about stages, steps, metrics and checkpoints", async () => {
    const kinds: string[] = [];
    await straight({ onEvent: ({ kind }) => kinds.push(kind) });
    const count = (kind: string) => kinds.filter((other) => other === kind).length;
    expect([
      count("stage-start"),
      count("step"),
      count("metrics"),
      count("checkpoint"),
      count("stage-end"),
    ]).toEqual([2, 13, 11, 4, 2]);
  });

  it("warns once when the diagnostics show a collapse", async () => {
    let call = 0;
    const model = createRegression();
    const objective = {
      ...model,
      diagnose: async () => {
        call++;
        // The second stage begins well: what was before it says nothing there.
        const distinctMatches = call > 4 && call < 7 ? 50 : 60 / call;
        return { cosine: 0.95, distinctMatches, normInitial: call, ratioDirection: 0.1 };
      },
    };
    const { files } = await straight({ objective: () => objective });
    const warnings = linesOf(files).filter(({ kind }) => kind === "warning");
    expect(warnings.map(({ stage, step }) => [stage, step])).toEqual([
      ["align", 2],
      ["finetune", 4],
    ]);
    expect(warnings[0]).toMatchObject({ name: "direction-collapse" });
    expect((linesOf(files)[1] as TrainLine).diagnostics).toMatchObject({ cosine: 0.95 });
  });

  it("leaks no tensors", async () => {
    const before = tf.memory().numTensors;
    await straight();
    expect(tf.memory().numTensors).toBe(before);
    const run = regressionRun({ data: () => regressionData(30, { step: 2 }) });
    await expect(train(run)).rejects.toThrow();
    run.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("names an unknown group and an empty data set", async () => {
    const recipe = regressionRecipe({ train: ["projectr"] });
    await expect(straight({ recipe })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is no parameter group "projectr" to train. Did you mean "projector"? Known: projector, language. [E_NAME_UNKNOWN]]`,
    );
    await expect(straight({ data: () => regressionData(0) })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The data of stage "align" has no samples. Check the file that the recipe names in \`data.train\`. [E_DATA_EMPTY]]`,
    );
  });

  it("passes on what the data throws, at the step that needs it", async () => {
    const data = regressionData(30);
    const broken = {
      ...data,
      batch: async (...args: Parameters<typeof data.batch>) => {
        if (args[1].step === 3) throw new Error("picture 7 is broken");
        return data.batch(...args);
      },
    };
    const steps: number[] = [];
    const onEvent = (event: TrainEvent) => {
      if (event.kind === "step") steps.push(event.step);
    };
    await expect(straight({ data: () => broken, onEvent })).rejects.toThrow("picture 7 is broken");
    expect(steps).toEqual([1, 2, 3]);
  });
});

describe("train, when a number is not finite", () => {
  it("names the step, the loss, the group and the checkpoint that is kept, and goes on from there", async () => {
    const recipe = regressionRecipe({ checkpointEvery: 2, logEvery: 3 });
    const run = regressionRun({ recipe, data: () => regressionData(30, { step: 3 }) });
    await expect(train(run)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Training stopped: step 4 of stage "align" gave NaN or infinite numbers. Bad losses: "language", "direction"; the first bad gradient is that of "weight" of group "projector". The last good checkpoint is kept: checkpoints/step-00000002. Lower the learning rate, lengthen the warm-up, or look at the samples of that step. [E_NOT_FINITE]]`,
    );
    run.dispose();
    await straight({ recipe, files: run.files, resume: "last" });
    expect(finalState(run.files)).toEqual(finalState((await straight({ recipe })).files));
  });

  it("says so where there is no checkpoint yet", async () => {
    await expect(
      straight({ data: () => regressionData(30, { step: 0 }) }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Training stopped: step 1 of stage "align" gave NaN or infinite numbers. Bad losses: "language", "direction"; the first bad gradient is that of "weight" of group "projector". There is no checkpoint yet. Lower the learning rate, lengthen the warm-up, or look at the samples of that step. [E_NOT_FINITE]]`,
    );
  });

  it("finds a weight that an update itself made infinite", async () => {
    const recipe = regressionRecipe({ learningRate: 1e38, warmup: 0 });
    await expect(straight({ recipe })).rejects.toThrow(/\[E_NOT_FINITE\]/);
  });
});

describe("train, on two ranks", () => {
  const recipe = regressionRecipe({ batchSize: 4, accumulate: 2 });

  it("gives the loss and weights of one process", async () => {
    const both = await onTwoRanks({ recipe });
    expect(both.errors).toEqual([]);
    const alone = await straight({ recipe });
    const losses = (files: MemoryFiles) =>
      linesOf(files).flatMap((line) => (line.kind === "train" ? [line.loss] : []));
    expect(losses(both.files).length).toBe(losses(alone.files).length);
    for (const [i, loss] of losses(alone.files).entries()) expect(losses(both.files)[i]).toBeCloseTo(loss, 5);
  });

  it("counts an epoch over the samples of all ranks", async () => {
    const recipe = regressionRecipe({ batchSize: 4, accumulate: 2, steps: { epochs: 1 } });
    const { files } = await onTwoRanks({ recipe });
    const stages = linesOf(files).flatMap((line) => (line.kind === "stage" ? [line.steps] : []));
    expect(stages).toEqual([4, 4]); // 30 samples, 8 of them per step
  });

  it.each([0, 1])("stops both ranks where rank %i alone is told to", async (aborted) => {
    const controllers = [new AbortController(), new AbortController()] as const;
    const onEvent = (event: TrainEvent) => {
      if (event.kind === "step" && event.step === 3) controllers[aborted]?.abort();
    };
    const { errors, files } = await onTwoRanks({ recipe }, [
      { signal: controllers[0].signal, ...(aborted === 0 && { onEvent }) },
      { signal: controllers[1].signal, ...(aborted === 1 && { onEvent }) },
    ]);
    expect(errors.map((error) => (error as BasicError).message)).toEqual([
      expect.stringMatching(/after step 3 .* checkpoints\/step-00000003.*E_INTERRUPTED/),
      expect.stringMatching(/after step 3 .* checkpoints\/step-00000003.*E_INTERRUPTED/),
    ]);
    const again = await onTwoRanks({ recipe, files, resume: "last" });
    const whole = await onTwoRanks({ recipe });
    expect(again.errors).toEqual([]);
    expect(finalState(again.files)).toEqual(finalState(whole.files));
  });

  it("stops the other rank where rank 0 cannot open the run", async () => {
    const { files } = await onTwoRanks({ recipe });
    const { errors } = await onTwoRanks({ recipe, files });
    expect(errors).toMatchInlineSnapshot(`
      [
        [BasicError: There is a run in memory already. Resume it, remove it, or choose another folder. [E_USAGE]],
        [BasicError: Rank 1 stops because rank 0 did: There is a run in memory already. Resume it, remove it, or choose another folder. [E_USAGE]],
      ]
    `);
    const locked = regressionRun({ files });
    const release = await locked.store.lock();
    expect((await onTwoRanks({ recipe, files })).errors).toMatchObject([
      { code: "E_RUN_LOCKED" },
      { code: "E_RUN_LOCKED" },
    ]);
    await release();
  });

  it("stops the other rank where rank 0 cannot save", async () => {
    const files: MemoryFiles = new Map();
    const full = async () => {
      throw new BasicError("E_DISK_FULL", "The disk is full.");
    };
    const store = { ...createMemoryStore(files), writeFolder: full };
    const { errors } = await onTwoRanks({ recipe, files, store });
    expect(errors).toMatchInlineSnapshot(`
      [
        [BasicError: The disk is full. [E_DISK_FULL]],
        [BasicError: Rank 1 stops because rank 0 did: The disk is full. [E_DISK_FULL]],
      ]
    `);
  });

  it("refuses to resume on another number of ranks", async () => {
    const { files } = await onTwoRanks({ recipe });
    await expect(straight({ recipe, files, resume: "last" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The run was started on 2 ranks, but resumes on 1. Resume on 2, or start a new run in another folder. [E_RESUME_CHANGED]]`,
    );
  });
});

type Change = NonNullable<Parameters<typeof regressionRun>[0]>;

/** Trains on two ranks to the end or to their errors. @param own - Options of each rank. */
async function onTwoRanks(change: Change, own: readonly [Change, Change] = [{}, {}]) {
  const collectives = pairOfRanks();
  const files = change.files ?? new Map();
  const runs = collectives.map((collective, i) => regressionRun({ ...change, ...own[i], files, collective }));
  const results = await Promise.allSettled(runs.map((run) => train(run)));
  for (const run of runs) run.dispose();
  const errors: unknown[] = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason] : [],
  );
  return { files, errors };
}

/** Two ranks in one process that meet at every collective. */
function pairOfRanks(): [Collective, Collective] {
  const waiting: [unknown[], ((all: unknown[]) => void)[]] = [[], []];
  const meet = <T>(own: T) =>
    new Promise<T[]>((resolve) => {
      waiting[0].push(own);
      waiting[1].push(resolve as (all: unknown[]) => void);
      if (waiting[0].length < 2) return;
      const [values, resolvers] = [waiting[0].splice(0), waiting[1].splice(0)];
      for (const each of resolvers) each(values);
    });
  const rank = (number: number): Collective => ({
    rank: number,
    size: 2,
    sumNumbers: async (values) => {
      const [a, b] = (await meet(values)) as [number[], number[]];
      return a.map((value, i) => value + (b[i] as number));
    },
    sumTensors: async (tensors) => {
      const [a, b] = (await meet(tensors)) as [tf.Tensor[], tf.Tensor[]];
      return a.map((tensor, i) => tf.add(tensor, b[i] as tf.Tensor));
    },
    broadcast: async (bytes) => (await meet(bytes)).find((given) => given !== null) ?? null,
    barrier: async () => {
      await meet(null);
    },
  });
  return [rank(0), rank(1)];
}

import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { finalState, linesOf, startStockCpu } from "../../test/regression.js";
import { valueAndGradients } from "../autodiff.js";
import { withDropout } from "../layers/dropout.js";
import { attachLora } from "../layers/lora.js";
import type { PackedRows } from "../models/interfaces.js";
import { decoderConfig } from "../models/language/config.js";
import { createDecoder } from "../models/language/decoder.js";
import { createOptimizer } from "../optim/adamw.js";
import { defineRecipe, type Recipe } from "../recipe.js";
import { listCheckpoints, readCheckpoint } from "./checkpoint.js";
import { freezeGroups } from "./freeze.js";
import { createLanguageObjective, type LanguageBatch } from "./language-objective.js";
import { train } from "./loop.js";
import { createMemoryStore, type MemoryFiles } from "./memory-store.js";
import type { TrainingData } from "./objective.js";

beforeAll(startStockCpu);

const config = decoderConfig({
  vocabularySize: 11,
  width: 8,
  depth: 2,
  heads: 2,
  inner: 12,
  initialStd: 0.4,
});

const recipe = (fields: Partial<Recipe["stages"][string]> = {}): Recipe =>
  defineRecipe({
    task: "language",
    name: "adapters",
    seed: 3,
    model: { language: "any", tokenizer: "any" },
    data: { train: { tune: "any" } },
    stages: {
      tune: {
        train: ["lora"],
        steps: 6,
        batchSize: 2,
        accumulate: 2,
        learningRate: 0.02,
        checkpointEvery: 2,
        logEvery: 2,
        ...(fields as object),
      },
    },
  });

/** Samples of three tokens. */
function packed(samples: readonly number[]): PackedRows {
  const ids = Int32Array.from(samples.flatMap((i) => [i % 11, (3 * i + 1) % 11, (5 * i + 2) % 11]));
  return {
    ids,
    offsets: Int32Array.from({ length: samples.length + 1 }, (_, i) => 3 * i),
    positions: ids.map((_, i) => i % 3),
    images: [],
    countsAsText: ids.map(() => 1),
    labels: ids.map((_, i) => (i % 3 === 2 ? -100 : (ids[i + 1] as number))),
  };
}

const data: TrainingData<LanguageBatch> = {
  size: 20,
  batch: async (indices) => ({ packed: packed([...indices]) }),
};

function open({ recompute = false, seed = 2, dropout = 0.3 } = {}) {
  const decoder = createDecoder(config, { seed });
  decoder.recompute = recompute;
  const lora = attachLora(decoder, { rank: 2, alpha: 4, dropout, seed: 7, targets: ["q_proj", "*.mlp.*"] });
  return { decoder, lora, objective: createLanguageObjective(decoder, lora) };
}

interface Run {
  readonly files?: MemoryFiles;
  readonly stopAfter?: number;
  readonly resume?: boolean;
  readonly model?: ReturnType<typeof open>;
  readonly recipe?: Recipe;
}

async function run({ files = new Map(), stopAfter, resume, model = open(), ...rest }: Run = {}) {
  const controller = new AbortController();
  const outcome = await train({
    recipe: rest.recipe ?? recipe(),
    objective: () => model.objective,
    data: () => data,
    store: createMemoryStore(files),
    signal: controller.signal,
    onEvent: (event) => {
      if (event.kind === "step" && event.globalStep === stopAfter) controller.abort();
    },
    ...(resume === true && { resume: "last" as const }),
  }).catch((error: unknown) => error);
  return { files, model, outcome };
}

const valuesOf = (set: Iterable<{ readonly value: tf.Tensor }>) =>
  [...set].map(({ value }) => Array.from(value.dataSync()));

describe("training adapters with dropout", () => {
  it("moves the adapters, and not one bit of the base", async () => {
    const model = open();
    const before = valuesOf(model.decoder.parameters);
    const adapters = valuesOf(model.lora.parameters);
    const { files } = await run({ model });
    expect(valuesOf(model.decoder.parameters)).toEqual(before);
    for (const [i, values] of valuesOf(model.lora.parameters).entries()) {
      expect(values).not.toEqual(adapters[i]);
    }
    const train = linesOf(files).flatMap((line) => (line.kind === "train" ? [line.loss] : []));
    expect(train.at(-1)).toBeLessThan(train[0] ?? 0);
  });

  it("keeps no gradient and no moments of the base", () => {
    const { objective, lora } = open();
    const stage = recipe().stages["tune"] as Recipe["stages"][string];
    const optimizer = createOptimizer({ groups: freezeGroups(stage, objective.groups) });
    expect(optimizer.parameters).toEqual([...lora.parameters]);
    optimizer.dispose();
  });

  it("writes checkpoints of the adapters alone, with a hash of the base", async () => {
    const { files, model } = await run();
    const store = createMemoryStore(files);
    const last = (await listCheckpoints(store)).at(-1) ?? "";
    const { parameters, position } = await readCheckpoint(store, last);
    expect([...parameters.keys()]).toEqual([...model.lora.parameters].map(({ name }) => `lora/${name}`));
    expect(position.frozen).toEqual({ language: expect.stringMatching(/^[0-9a-f]{16}$/) });
  });

  it.each([1, 2, 3, 5])("is bit-identical after a stop at step %i", async (stopAfter) => {
    const whole = await run();
    const { files, outcome } = await run({ stopAfter });
    expect(outcome).toMatchObject({ code: "E_INTERRUPTED" });
    await run({ files, resume: true });
    expect(finalState(files)).toEqual(finalState(whole.files));
    expect(linesOf(files)).toEqual(linesOf(whole.files));
  });

  it("drops other values with another seed, and none without dropout", async () => {
    const states = await Promise.all(
      [{}, { dropout: 0 }].map(async (options) => run({ model: open(options) })),
    );
    expect(finalState(states[0]?.files ?? new Map())).not.toEqual(finalState(states[1]?.files ?? new Map()));
  });

  it("refuses to go on with another base", async () => {
    const { files } = await run({ stopAfter: 3 });
    const { outcome } = await run({ files, resume: true, model: open({ seed: 5 }) });
    expect((outcome as Error).message.replace(/[0-9a-f]{16}/g, "HASH")).toMatchInlineSnapshot(
      `"The frozen weights of "language" are not those that checkpoints/step-00000003 was trained on: their hash is HASH, expected HASH. Name the same model files as before, or start a new run in another folder. [E_RESUME_CHANGED]"`,
    );
  });

  it("trains a part of the model beside the adapters, and saves that part alone", async () => {
    const partly = recipe({
      train: ["lora", "language.blocks[1:]/*.self_attn.*"],
      learningRate: { lora: 0.02, "language.blocks[1:]/*.self_attn.*": 0.001 },
    } as Partial<Recipe["stages"][string]>);
    const whole = await run({ recipe: partly });
    const { files } = await run({ recipe: partly, stopAfter: 3 });
    await run({ recipe: partly, files, resume: true });
    expect(finalState(files)).toEqual(finalState(whole.files));
    const store = createMemoryStore(files);
    const { parameters } = await readCheckpoint(store, (await listCheckpoints(store)).at(-1) ?? "");
    const names = [...parameters.keys()].filter((name) => name.startsWith("language/"));
    expect(names).toEqual(
      ["q", "k", "v", "o"].map((letter) => `language/model.layers.1.self_attn.${letter}_proj.weight`),
    );
  });
});

describe("recomputed blocks", () => {
  /** Loss and gradients of one micro-batch, and the bytes that the forward pass holds. */
  function step(recompute: boolean) {
    const { objective, lora, decoder } = open({ recompute });
    decoder.parameters.setTrainable(false);
    // B is zero at first: nothing would depend on what is dropped.
    for (const { name, value } of lora.parameters) {
      lora.parameters.get(name).assign(tf.add(value, 0.1));
    }
    let held = 0;
    const { value, gradients } = valueAndGradients(
      () => {
        const before = tf.memory().numBytes;
        const [part] = withDropout({ stage: "tune", step: 0, microBatch: 0 }, () =>
          objective.parts({ packed: packed([1, 2, 3, 4, 5, 6]) }, { stage: "tune", step: 0, steps: 1 }),
        );
        held = tf.memory().numBytes - before;
        return part?.sum as tf.Scalar;
      },
      [...lora.parameters].map((parameter) => parameter.value),
    );
    return { bits: [value, ...gradients].map((tensor) => Array.from(tensor.dataSync())), held };
  }

  it("drop the same values again: the same bits, from less memory", () => {
    const [kept, again] = [step(false), step(true)];
    expect(again.bits).toEqual(kept.bits);
    expect(again.held).toBeLessThan(kept.held / 2);
  });
});

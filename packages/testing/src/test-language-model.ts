import type { LanguageModel, PackedRows } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { worstDifference } from "./compare.js";
import { testPart } from "./part-suite.js";
import { leakSince, normalTensor, startStockCpu, upload } from "./parts.js";

/** What {@link testLanguageModel} needs to know of a language model. */
export interface LanguageModelSuite {
  readonly name: string;
  /** Makes a small one: every parameter is perturbed in double precision. At least 8 tokens. */
  readonly create: () => LanguageModel;
  /** Starts the backend; default: stock cpu with the references. */
  readonly start?: () => Promise<unknown>;
}

/** Two ways to the same float32 result. */
const SAME = { absolute: 1e-5, relative: 1e-5 };
/** Two samples; the first shows an image of two rows after its first token. */
const BATCH = [
  [1, -1, -2, 2, 3],
  [4, 5, 6],
] as const;

/**
 * A vitest suite for a language model: shapes, samples that do not see each other or what comes later, generation with
 * a cache of one sample and of several, observed rows, gradient (by finite differences), save and load, leaks.
 */
export function testLanguageModel({ name, create, start = startStockCpu }: LanguageModelSuite): void {
  describe(`language model ${name}`, () => {
    beforeAll(() => start());

    it("gives one hidden row for each packed row, and a table and a head of its sizes", () => {
      const before = tf.memory();
      const model = create();
      const visual = visualRows(model);
      const { hidden } = model.forward({ packed: packed(BATCH), visual });
      expect(hidden.shape).toEqual([8, model.width]);
      expect(model.vocabulary.shape).toEqual([model.vocabularySize, model.width]);
      expect(model.head.weight.shape).toEqual([model.vocabularySize, model.width]);
      tf.dispose([hidden, visual]);
      model.parameters.dispose();
      expect(leakSince(before)).toBeUndefined();
    });

    it("runs each sample by itself, and sees no later token", () => {
      const model = create();
      const visual = visualRows(model);
      const whole = hiddenOf(model, BATCH, visual);
      const cut = hiddenOf(model, [BATCH[0].slice(0, 4), BATCH[1].slice(0, 2)], visual);
      const rows = [0, 1, 2, 3, 5, 6].flatMap((row) =>
        whole.slice(row * model.width, (row + 1) * model.width),
      );
      expect(worstDifference(cut, rows, SAME)).toBeUndefined();
      visual.dispose();
      model.parameters.dispose();
    });

    testCache(create);

    it("reports the visual rows that supervision asks for", async () => {
      const before = tf.memory();
      const model = create();
      const visual = visualRows(model);
      const observe = { layerWeights: [1], patchWeights: false, stopGradient: true, blocks: [0, 1] };
      const seen = model.forward({ packed: packed(BATCH), visual }, observe);
      const { hidden, refined, patchWeights, blocks } = seen;
      expect(refined?.shape).toEqual([2, model.width]);
      expect([...(blocks.get(1)?.shape ?? [])]).toEqual([2, model.width]);
      // tf.tidy disposes tensors that only a Map holds.
      expect([...blocks.values()].map(({ isDisposed }) => isDisposed)).toEqual([false, false]);
      expect(worstDifference((await blocks.get(0)?.data()) ?? [], visual.dataSync(), SAME)).toBeUndefined();
      tf.dispose([hidden, refined ?? [], patchWeights ?? [], [...blocks.values()], visual]);
      model.parameters.dispose();
      expect(leakSince(before)).toBeUndefined();
    });

    testPart<LanguageModel>({
      create,
      // Made when the backend runs.
      get inputs() {
        const { width, parameters } = create();
        parameters.dispose();
        return { visual: normalTensor([2, width], "visual") };
      },
      output: (model, inputs) => {
        const { hidden } = model.forward({ packed: packed(BATCH), visual: inputs["visual"] as tf.Tensor2D });
        return tf.matMul(hidden, model.head.weight, false, true);
      },
      gradientsTo: ["visual"],
    });
  });
}

/** Generation: rows one after the other are those of a whole run. */
function testCache(create: () => LanguageModel): void {
  it("gives the same row by row with a cache", () => {
    const model = create();
    const visual = visualRows(model);
    const [first] = BATCH;
    const whole = hiddenOf(model, [first], visual);
    const cache = model.createCache();
    const prompt = model.forward({ packed: packed([first.slice(0, 3)]), visual, cache }).hidden;
    const later = [3, 4].map((place) => {
      expect(cache.length).toBe(place);
      const one = { ...packed([first.slice(place, place + 1)]), positions: Int32Array.of(place) };
      return model.forward({ packed: one, visual: null, cache }).hidden;
    });
    const parts = [prompt, ...later].flatMap((rows) => [...rows.dataSync()]);
    expect(worstDifference(parts, whole, SAME)).toBeUndefined();
    tf.dispose([prompt, later, visual]);
    cache.dispose();
    model.parameters.dispose();
  });

  it("keeps several samples in a cache, and goes on from fewer rows", () => {
    const model = create();
    const visual = visualRows(model);
    const [first, second] = BATCH;
    const whole = hiddenOf(model, BATCH, visual);
    const cache = model.createCache(2);
    model.forward({ packed: packed([first.slice(0, 3), second]), visual, cache }).hidden.dispose();
    expect([...cache.lengths]).toEqual([3, 3]);
    cache.truncate(2, 1);
    expect([...cache.lengths]).toEqual([3, 2]);
    const rest = packed([first.slice(3), second.slice(2)]);
    const next = { ...rest, positions: Int32Array.of(3, 4, 2) };
    const { hidden } = model.forward({ packed: next, visual: null, cache });
    const expected = [3, 4, 7].flatMap((row) => whole.slice(row * model.width, (row + 1) * model.width));
    expect(worstDifference(hidden.dataSync(), expected, SAME)).toBeUndefined();
    expect([...cache.lengths, cache.length]).toEqual([5, 3, 5]);
    tf.dispose([hidden, visual]);
    cache.dispose();
    model.parameters.dispose();
  });
}

function visualRows({ width }: LanguageModel): tf.Tensor2D {
  return upload(normalTensor([2, width], "visual")) as tf.Tensor2D;
}

function hiddenOf(
  model: LanguageModel,
  samples: readonly (readonly number[])[],
  visual: tf.Tensor2D,
): number[] {
  const { hidden } = model.forward({ packed: packed(samples), visual });
  const values = [...hidden.dataSync()];
  hidden.dispose();
  return values;
}

/** Samples as they are packed, without labels. */
function packed(samples: readonly (readonly number[])[]): PackedRows {
  const offsets = [0];
  for (const { length } of samples) offsets.push((offsets.at(-1) ?? 0) + length);
  const ids = Int32Array.from(samples.flat());
  const start = ids.indexOf(-1);
  return {
    ids,
    offsets: Int32Array.from(offsets),
    positions: Int32Array.from(samples.flatMap((sample) => sample.map((_, i) => i))),
    images: start < 0 ? [] : [{ sample: 0, start, length: 2 }],
    countsAsText: ids.map((id) => (id < 0 ? 0 : 1)),
    labels: new Int32Array(ids.length).fill(-100),
  };
}

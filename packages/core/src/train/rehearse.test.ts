import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";

import { BasicError } from "../errors.js";
import { type Fallback, setFallback } from "../kernels/run.js";
import { Parameter, ParameterSet } from "../parameters.js";
import { defineRecipe, type Recipe } from "../recipe.js";
import type { Objective } from "./objective.js";
import { type RehearsalInput, type RehearsingBackend, rehearseStages } from "./rehearse.js";

let fallback: Fallback;
beforeAll(async () => {
  await tf.setBackend("cpu");
  fallback = setFallback("reference");
});
afterAll(() => {
  setFallback(fallback);
});
afterEach(() => {
  delete (tf.backend() as { rehearse?: unknown }).rehearse;
});

const recipe: Recipe = defineRecipe({
  task: "language",
  name: "tiny",
  model: { language: "any", tokenizer: "any" },
  data: { train: { read: "any" } },
  stages: { read: { train: ["language"], steps: 40, batchSize: 2, learningRate: 1e-2 } },
});

function open(parts: () => void): RehearsalInput<number> {
  const language = new ParameterSet();
  const parameter = language.add(new Parameter("w", Float32Array.of(1, 2), [2]));
  parameter.trainable = false;
  const objective: Objective<number> = {
    groups: { language },
    count: () => ({ tokens: 1, samples: 1 }),
    parts: () => {
      parts();
      const sum = tf.sum(tf.square(parameter.value)) as tf.Scalar;
      return [{ name: "language", sum, per: "tokens", weight: 1 }];
    },
  };
  return { recipe, stageName: "read", objective, data: { size: 10, batch: async ([first = 0]) => first } };
}

it("says that it does not know where the backend cannot rehearse", async () => {
  const parts = vi.fn();
  expect(await rehearseStages([open(parts)])).toBeNull();
  expect(parts).not.toHaveBeenCalled();
});

it("goes once through the first steps of each stage, and leaves nothing behind", async () => {
  const backend = tf.backend() as Partial<RehearsingBackend>;
  let asked = 0;
  backend.rehearse = async (body) => {
    await body(() => 100 * ++asked);
    return 0;
  };
  const parts = vi.fn();
  const stage = open(parts);
  const before = tf.memory().numTensors;
  expect(await rehearseStages([stage, stage])).toEqual([100, 200]);
  expect(parts).toHaveBeenCalledTimes(32);
  expect(tf.memory().numTensors).toBe(before);
  expect([...(stage.objective.groups["language"] ?? [])].map(({ trainable }) => trainable)).toEqual([false]);
});

it("goes through the micro-batches of one of several processes", async () => {
  const backend = tf.backend() as Partial<RehearsingBackend>;
  backend.rehearse = async (body) => {
    await body(() => 0);
    return 0;
  };
  const parts = vi.fn();
  const { recipe: plain, data, ...stage } = open(parts);
  const read = { ...plain.stages["read"], accumulate: 4 };
  const shared = { ...plain, stages: { read } } as Recipe;
  const heaviest = () => Int32Array.of(9);
  await rehearseStages([{ ...stage, recipe: shared, data: { ...data, heaviest }, ranks: 2 }]);
  expect(parts).toHaveBeenCalledTimes(17 * 2);
});

it("goes through a step of the largest samples that fit, where samples differ", async () => {
  const backend = tf.backend() as Partial<RehearsingBackend>;
  backend.rehearse = async (body) => {
    await body(() => 0);
    return 0;
  };
  const parts = vi.fn();
  const { data, ...stage } = open(parts);
  const asked: number[][] = [];
  const batch: typeof data.batch = async (indices) => {
    asked.push([...indices]);
    if (indices[0] === 99 && indices.length > 1) throw new BasicError("E_ROW_BUDGET", "too many rows.");
    return 1;
  };
  const heaviest = (count: number): Int32Array => Int32Array.of(99, 98, 97).subarray(0, count);
  await rehearseStages([{ ...stage, data: { ...data, batch, heaviest } }]);
  expect(parts).toHaveBeenCalledTimes(17);
  expect(asked.slice(-2)).toEqual([[99, 98], [99]]);
});

it("goes through the fullest micro-batches of packed samples", async () => {
  const backend = tf.backend() as Partial<RehearsingBackend>;
  backend.rehearse = async (body) => {
    await body(() => 0);
    return 0;
  };
  const parts = vi.fn();
  const { data, recipe: plain, ...stage } = open(parts);
  const packed = { ...plain.stages["read"], packing: "rows", batchSize: 3, accumulate: 1, rowBudget: 100 };
  const asked: number[][] = [];
  const batch: typeof data.batch = async (indices) => {
    asked.push([...indices]);
    return 1;
  };
  const rows = [10, 60, 20, 50, 35, 30, 25, 15, 45, 5];
  const sizes = () => ({ rows, visual: rows.map((_, i) => Number(i % 2 === 0)) });
  const rehearsed = { ...plain, stages: { read: packed } } as Recipe;
  await rehearseStages([{ ...stage, recipe: rehearsed, data: { ...data, batch, sizes } }]);
  // The longest that fit together, and as many with pictures as fit.
  expect(asked.slice(-2)).toEqual([
    [1, 4, 9],
    [0, 2, 6],
  ]);
});

it("goes through what comes after the steps while moments are there", async () => {
  const backend = tf.backend() as Partial<RehearsingBackend>;
  backend.rehearse = async (body) => {
    await body(() => tf.memory().numTensors);
    return 0;
  };
  const stage = open(() => undefined);
  let during = 0;
  const afterwards = async (): Promise<void> => {
    during = tf.memory().numTensors;
  };
  const [after] = (await rehearseStages([{ ...stage, afterwards }])) ?? [];
  // AdamW's two moments of the one parameter.
  expect(during - (after as number)).toBeGreaterThanOrEqual(2);
});

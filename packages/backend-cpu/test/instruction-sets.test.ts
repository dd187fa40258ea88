import "@tensorflow/tfjs-backend-cpu";

import { testBackend } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it, vi } from "vitest";

import { native } from "../src/native.js";
import { start } from "../src/start.js";
import { expectLikeStock } from "./compare.js";
import { createVlmTraining } from "./vlm-step.js";

vi.hoisted(() => {
  process.env["BASIC_MLLM_SIMD"] = "baseline";
});

const close = { absolute: 1e-5, relative: 1e-5 };
const values = (...shape: number[]) => tf.randomNormal(shape, 0, 2, "float32", 7);

it("uses no more than the baseline when BASIC_MLLM_SIMD says so", async () => {
  await start();
  expect(native().instructionSet()).toBe("baseline");
});

// The best one is what conformance.test.ts runs on.
for (const instructionSet of native().instructionSets().slice(1)) {
  describe(instructionSet, () => {
    testBackend({ backend: "basiccpu", start: () => start({ threads: 2, instructionSet }) });
  });
}

it.each([
  ["exp", () => tf.exp(values(1000))],
  ["log", () => tf.log(tf.abs(values(1000)))],
  ["tanh", () => tf.tanh(values(1000))],
  ["sigmoid", () => tf.sigmoid(values(1000))],
  ["erf", () => tf.erf(values(1000))],
  ["softmax", () => tf.softmax(values(30, 77))],
  ["sum", () => tf.sum(values(30, 77), 1)],
  ["max", () => tf.max(values(30, 77), 0)],
  ["transpose", () => tf.transpose(values(30, 77))],
  ["maximum", () => tf.maximum(values(30, 77), values(77))],
] as const)("%s is as stock without vector extensions", async (_, f) => {
  await expectLikeStock(f, close);
});

it("trains without vector extensions", async () => {
  await start({ threads: 1 });
  const training = createVlmTraining();
  const first = await training.step();
  expect(await training.step()).toBeLessThan(first);
  training.dispose();
});

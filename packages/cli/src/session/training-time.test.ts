import type { MetricsLine } from "@basic-mllm/core";
import { expect, it } from "vitest";

import { trainingSeconds } from "./training-time.js";

const line = (globalStep: number, stepMs: number): MetricsLine => ({
  kind: "train",
  stage: "a",
  step: globalStep,
  globalStep,
  loss: 1,
  parts: {},
  weighted: {},
  learningRate: 1,
  gradientNorm: 1,
  tokensPerSecond: 1,
  stepMs,
});

it("is the time of all steps, each line standing for the steps since the one before it", () => {
  expect(trainingSeconds([line(1, 500), line(10, 100), line(20, 200)])).toBe(3.4);
  expect(trainingSeconds([])).toBe(0);
});

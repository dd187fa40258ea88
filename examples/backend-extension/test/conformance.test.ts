import { findKernel, rmsNorm, setFallback } from "@basic-mllm/core";
import { testBackend } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";

import { MY_BACKEND, ownKernelCalls } from "../src/mycpu.js";

// Every contract, forward and gradient: ours by its own body, the others by their references.
testBackend({
  backend: MY_BACKEND,
  start: async () => {
    setFallback("reference");
    await tf.setBackend(MY_BACKEND);
  },
  stop: () => setFallback("error"),
});

it("has its own body for one contract, which the suite ran", () => {
  expect(findKernel(rmsNorm.name, MY_BACKEND)).toBeDefined();
  expect(ownKernelCalls()).toBeGreaterThanOrEqual(rmsNorm.cases.length);
});

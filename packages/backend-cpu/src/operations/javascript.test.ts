import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, expect, it } from "vitest";

import type { CpuBackend } from "../backend.js";
import { start } from "../start.js";

beforeEach(async () => {
  await start({ threads: 1 });
});

function callsOf(body: () => tf.Tensor): Record<string, number> {
  const backend = tf.backend() as CpuBackend;
  const before = backend.javascriptCalls();
  tf.tidy(() => {
    body();
  });
  const after = Object.entries(backend.javascriptCalls());
  return Object.fromEntries(
    after
      .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

it("counts a tensor-sized call of a kernel that has no native body", () => {
  expect(callsOf(() => tf.atan(tf.ones([65])))).toEqual({ Atan: 1 });
});

it("counts a call that a native body leaves to JavaScript", () => {
  expect(callsOf(() => tf.add(tf.ones([65], "int32"), tf.ones([65], "int32")))).toMatchObject({ Add: 1 });
});

it("counts neither native calls, nor small tensors, nor other shapes of the same data", () => {
  expect(callsOf(() => tf.reshape(tf.add(tf.ones([80]), 1), [8, 10]))).toEqual({});
  expect(callsOf(() => tf.atan(tf.ones([64])))).toEqual({});
});

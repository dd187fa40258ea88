import { activation, rmsNorm, runKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, expect, it } from "vitest";

import { start, startedBackend, stop } from "../index.js";
import type { KernelTime } from "./timestamps.js";

afterEach(() => stop());

/** Counts of dispatches by program. */
function counts(times: readonly KernelTime[]): Record<string, number> {
  return Object.fromEntries(times.map(({ name, dispatches }) => [name, dispatches]));
}

it("adds up the device's time by program, longest first, tfjs's own among them", async () => {
  await start({ timestamps: true });
  const backend = startedBackend();
  const [x, weight] = [tf.ones([64, 128]), tf.ones([128])];
  const pass = () => {
    const [y, inverse] = runKernel(rmsNorm, { x, weight }, { epsilon: 1e-5, addOne: false }) as tf.Tensor[];
    const z = tf.square(y as tf.Tensor);
    tf.dispose([y, inverse, z] as tf.Tensor[]);
  };
  pass();
  const times = await backend.deviceTimes(() => {
    pass();
    pass();
  });
  expect(counts(times)).toEqual({ "rms norm": 2, "tfjs UnaryOpProgram": 2 });
  for (const { milliseconds } of times) expect(milliseconds).toBeGreaterThanOrEqual(0);
  expect(times.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeGreaterThan(0);
  expect(times.map(({ milliseconds }) => milliseconds)).toEqual(
    times.map(({ milliseconds }) => milliseconds).sort((a, b) => b - a),
  );
  pass();
  expect(await backend.deviceTimes(() => undefined)).toEqual([]);
});

it("takes more dispatches than there are queries, and the values stay right", async () => {
  await start({ timestamps: true });
  const x = tf.tensor2d([[-1, 2]]);
  let value: Promise<Float32Array> | undefined;
  const times = await startedBackend().deviceTimes(() => {
    for (let i = 0; i < 1500; i++) {
      const [y] = runKernel(activation, { x }, { kind: "silu" }) as [tf.Tensor];
      if (i === 1499) value = y.data<"float32">();
      y.dispose();
    }
  });
  expect(Object.values(counts(times))).toEqual([1500]);
  const [first, second] = (await value) ?? [];
  expect(first).toBeCloseTo(-0.26894, 5);
  expect(second).toBeCloseTo(1.76159, 5);
});

it("starts from zero after a body that failed", async () => {
  await start({ timestamps: true });
  const backend = startedBackend();
  const x = tf.ones([4]);
  const failed = backend.deviceTimes(() => {
    tf.square(x).dispose();
    throw new Error("half way");
  });
  await expect(failed).rejects.toThrow("half way");
  expect(counts(await backend.deviceTimes(() => tf.add(x, x).dispose()))).toEqual({
    "tfjs BinaryOpProgram": 1,
  });
});

it("says that the device was lost", async () => {
  await start({ timestamps: true });
  const backend = startedBackend();
  const x = tf.ones([4]);
  const times = backend.deviceTimes(() => {
    tf.square(x).dispose();
    backend.device.destroy();
  });
  await expect(times).rejects.toMatchObject({ code: "E_DEVICE_LOST" });
});

it("says how to start where nothing is timed", async () => {
  await start();
  await expect(startedBackend().deviceTimes(() => undefined)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[BasicError: The backend "basicwebgpu" does not record device times. Start it with start({ timestamps: true }), before any other call of start() in this process. [E_CONFIG]]`,
  );
});

import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";

import { start } from "../src/start.js";

/** Runs `f` on stock "cpu" and on ours, and expects the same values, dtype and shape, and no leak. */
export async function expectLikeStock(
  f: () => tf.Tensor | tf.Tensor[],
  tolerance: { readonly absolute?: number; readonly relative?: number } = {},
): Promise<void> {
  await tf.setBackend("cpu");
  const expected = snapshot(f);
  await start({ threads: 2 });
  const before = leakCounters();
  const actual = snapshot(f);
  expect(leakCounters()).toEqual(before);
  expect(actual.length).toBe(expected.length);
  for (const [i, want] of expected.entries()) {
    const got = actual[i];
    expect(got?.shape).toEqual(want.shape);
    expect(got?.dtype).toBe(want.dtype);
    expectClose(got?.values ?? [], want.values, tolerance.absolute ?? 0, tolerance.relative ?? 0);
  }
}

interface Snapshot {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: number[];
}

function snapshot(f: () => tf.Tensor | tf.Tensor[]): Snapshot[] {
  return tf.tidy(() => {
    const result = f();
    return (Array.isArray(result) ? result : [result]).map((tensor) => ({
      shape: tensor.shape,
      dtype: tensor.dtype,
      values: [...tensor.dataSync()],
    }));
  });
}

/** Tensors of tfjs, data of the backend, and bytes of native memory in use. */
export function leakCounters(): object {
  const { liveBytes } = tf.backend().memory() as unknown as { liveBytes: number };
  return { tensors: tf.memory().numTensors, data: tf.backend().numDataIds(), liveBytes };
}

function expectClose(got: readonly number[], want: readonly number[], absolute: number, relative: number) {
  expect(got.length).toBe(want.length);
  for (const [i, expected] of want.entries()) {
    const actual = got[i] as number;
    const same = Object.is(actual, expected) || actual === expected;
    if (!same && !(Math.abs(actual - expected) <= absolute + relative * Math.abs(expected))) {
      expect.fail(`element ${i}: ${actual}, expected ${expected}`);
    }
  }
}

import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { expect } from "vitest";

import { start } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";

/** How far a result may be from the stock one, element by element. */
export interface Closeness {
  readonly absolute?: number;
  readonly relative?: number;
}

/** Runs `f` on stock "cpu" and on ours, and expects the same values, dtypes and shapes, and no leak. */
export async function expectLikeStock(
  f: () => tf.Tensor | tf.Tensor[],
  { absolute = 0, relative = 0 }: Closeness = {},
): Promise<void> {
  await tf.setBackend("cpu");
  const expected = await snapshot(f);
  await start(TEST_DEVICE);
  const before = counters();
  const actual = await snapshot(f);
  expect(counters()).toEqual(before);
  const described = ({ shape, dtype }: Snapshot) => ({ shape, dtype });
  expect(actual.map(described)).toEqual(expected.map(described));
  for (const [i, { values }] of expected.entries()) {
    expectClose(actual[i]?.values ?? [], values, (size) => absolute + relative * size);
  }
}

interface Snapshot {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: readonly number[];
}

async function snapshot(f: () => tf.Tensor | tf.Tensor[]): Promise<Snapshot[]> {
  const results = [tf.tidy(f)].flat();
  const snapshots = results.map(async (tensor) => ({
    shape: tensor.shape,
    dtype: tensor.dtype,
    values: [...(await tensor.data())],
  }));
  const taken = await Promise.all(snapshots);
  tf.dispose(results);
  return taken;
}

function counters(): object {
  return { tensors: tf.memory().numTensors, data: tf.backend().numDataIds() };
}

function expectClose(
  got: readonly number[],
  want: readonly number[],
  allowed: (size: number) => number,
): void {
  expect(got.length).toBe(want.length);
  for (const [i, expected] of want.entries()) {
    const actual = got[i] as number;
    const same = Object.is(actual, expected) || actual === expected;
    if (!same && !(Math.abs(actual - expected) <= allowed(Math.abs(expected)))) {
      expect.fail(`element ${i}: ${actual}, expected ${expected}`);
    }
  }
}

/** Values of many kinds: fractions, ties, zeros, large ones. */
export function values(length: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 12345;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const unit = state / 2 ** 32 - 0.5;
    return state % 7 === 0 ? Math.round(unit * 6) : unit * 8;
  });
}

/** A tensor of such values; of integers and truths it has their whole parts. */
export function tensor(shape: readonly number[], seed = 1, dtype: "float32" | "int32" | "bool" = "float32") {
  const length = shape.reduce((product, size) => product * size, 1);
  const floats = values(length, seed);
  if (dtype === "float32") return tf.tensor(floats, [...shape], dtype);
  if (dtype === "bool")
    return tf.tensor(
      Uint8Array.from(floats, (value) => Number(value > 0)),
      [...shape],
      dtype,
    );
  return tf.tensor(Int32Array.from(floats, Math.trunc), [...shape], dtype);
}

/** Shapes of so many axes, each of 0 to `most` elements, of at most 300 in all. */
export function shapes(fewest: number, rank: number, { least = 1, most = 6 } = {}): fc.Arbitrary<number[]> {
  return fc
    .array(fc.integer({ min: least, max: most }), { minLength: fewest, maxLength: rank })
    .filter((shape) => shape.reduce((product, size) => product * size, 1) <= 300);
}

/** Two shapes that broadcast: each axis is kept, or 1 on one side; leading axes may be missing. */
export const broadcastPairs = shapes(0, 6, { least: 0 }).chain((shape) =>
  fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: shape.length, maxLength: shape.length }),
      fc.nat(shape.length),
      fc.boolean(),
    )
    .map(([kinds, cut, swap]) => {
      const a = shape.map((size, axis) => (kinds[axis] === 1 ? 1 : size));
      const b = shape.map((size, axis) => (kinds[axis] === 2 ? 1 : size)).slice(cut);
      return swap ? { a: b, b: a } : { a, b };
    }),
);

/** All pairs that broadcast of shapes of up to two axes, each of 0, 1 or 3 elements: what few random examples would miss. */
export function smallBroadcastPairs(): { readonly a: number[]; readonly b: number[] }[] {
  const sizes = [0, 1, 3];
  const all = [[], ...sizes.map((size) => [size]), ...sizes.flatMap((m) => sizes.map((n) => [m, n]))];
  const fits = (size: number, other = 1) => size === other || size === 1 || other === 1;
  return all.flatMap((a) =>
    all
      .filter((b) => a.toReversed().every((size, axis) => fits(size, b.at(-1 - axis))))
      .map((b) => ({ a, b })),
  );
}

/** Checks a property on a few examples: each runs kernels on the emulator. */
export async function check<T>(
  arbitrary: fc.Arbitrary<T>,
  property: (value: T) => Promise<void>,
): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitrary, property), { numRuns: 12, endOnFailure: true });
}

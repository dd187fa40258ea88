import "@tensorflow/tfjs-backend-cpu";

import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { leakCounters } from "../test/compare.js";
import type { CpuBackend } from "./backend.js";
import { start } from "./start.js";

beforeEach(async () => {
  await start({ threads: 1 });
});

afterEach(() => {
  vi.restoreAllMocks();
});

it("copies the values of a new tensor: the caller may go on using its array", () => {
  const mine = Float32Array.of(1, 2, 3);
  const x = tf.tensor1d(mine);
  mine[0] = 9;
  expect([...x.dataSync()]).toEqual([1, 2, 3]);
  x.dispose();
});

it("hands out copies: what was read stays after the tensor is disposed and its memory used again", async () => {
  const x = tf.tensor1d([1, 2, 3]);
  const [sync, async_] = [x.dataSync(), await x.data()];
  x.dispose();
  const y = tf.tensor1d([7, 7, 7]);
  expect([...sync, ...async_]).toEqual([1, 2, 3, 1, 2, 3]);
  sync[0] = 5;
  expect([...y.dataSync()]).toEqual([7, 7, 7]);
  y.dispose();
});

it("keeps the memory while a clone or reshape lives", () => {
  const before = leakCounters();
  const x = tf.tensor1d([1, 2, 3, 4]);
  const alias = tf.reshape(x, [2, 2]);
  x.dispose();
  const other = tf.tensor1d([0, 0, 0, 0]);
  expect([...alias.dataSync()]).toEqual([1, 2, 3, 4]);
  alias.dispose();
  other.dispose();
  expect(leakCounters()).toEqual(before);
});

it("uses the memory of disposed tensors again", () => {
  const { native } = tf.backend() as CpuBackend;
  const work = () => tf.dispose(tf.tidy(() => tf.add(tf.ones([100, 100]), 1)));
  work();
  const before = native.blockBytes();
  for (let i = 0; i < 50; i++) work();
  expect(native.blockBytes()).toBe(before);
});

it("gives back what nothing uses, and keeps what is in use", () => {
  const backend = tf.backend() as CpuBackend;
  const kept = tf.range(0, 100_000);
  tf.ones([300_000]).dispose();
  const { liveBytes, heldBytes } = backend.memory();
  expect(heldBytes).toBeGreaterThanOrEqual(1_200_000);
  const before = backend.native.blockBytes();
  backend.returnFreedMemory();
  expect(backend.memory()).toMatchObject({ liveBytes, heldBytes: 0 });
  expect(before - backend.native.blockBytes()).toBeGreaterThanOrEqual(1_200_000);
  expect(kept.dataSync()[99_999]).toBe(99_999);
  kept.dispose();
});

it("moves tensors from and to another backend", async () => {
  await tf.setBackend("cpu");
  const x = tf.tensor1d([1, 2, 3]);
  await start();
  const y = tf.square(x);
  await tf.setBackend("cpu");
  const z = tf.add(y, 1);
  expect([...z.dataSync()]).toEqual([2, 5, 10]);
  tf.dispose([x, y, z]);
  await start();
});

it("holds large int32 tensors in native memory, as copies, and gives it back", () => {
  const before = leakCounters();
  const words = Int32Array.from({ length: 1 << 14 }, (_, i) => i - 7);
  const bytes = tf.memory().numBytes;
  const held = (tf.backend() as CpuBackend).memory().liveBytes;
  const x = tf.tensor1d(words, "int32");
  expect((tf.backend() as CpuBackend).memory().liveBytes - held).toBeGreaterThanOrEqual(words.byteLength);
  const read = x.dataSync<"int32">();
  words.fill(0);
  x.dispose();
  expect([read[0], read[words.length - 1], tf.memory().numBytes]).toEqual([-7, words.length - 8, bytes]);
  expect(leakCounters()).toEqual(before);
});

it("releases what a failing kernel has allocated", () => {
  const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const ids = tf.tensor1d([0, 5], "int32");
  const before = leakCounters();
  expect(() => tf.gather(x, ids)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: A kernel of the CPU backend refused its call: gather: index 5 is not in 0 to 1. Check the shapes, indices and options that it was given; where they are right, report this with them. [E_KERNEL_FAILED]]`,
  );
  expect(leakCounters()).toEqual(before);
  tf.dispose([x, ids]);
});

it("passes tfjs's own check for leaks inside kernels", () => {
  tf.env().set("IS_TEST", true);
  try {
    tf.tidy(() => {
      const x = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
      expect(tf.sum(x, [0, 2]).dataSync()).toEqual(Float32Array.of(14, 22));
      tf.softmax(tf.matMul(x, x));
      tf.addN([x, x, x]);
    });
  } finally {
    tf.env().set("IS_TEST", false);
  }
});

it("prints no banner", () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  tf.tensor1d([1]).dispose();
  expect(warn).not.toHaveBeenCalled();
});

it("reports native memory", () => {
  const before = (tf.backend() as CpuBackend).memory();
  const x = tf.zeros([1024]);
  expect((tf.backend() as CpuBackend).memory().liveBytes - before.liveBytes).toBe(4096);
  expect(tf.memory().unreliable).toBe(false);
  x.dispose();
});

import type * as tf from "@tensorflow/tfjs-core";

import type { CudaBackend } from "../../backend.js";
import { type ElementStorage, storageOf } from "../../memory/storage.js";
import { defineProgram, type Program } from "../../program.js";
import { bitsOf } from "../operation.js";
import { type Loop, loopTable, mergedLoops, rowMajorStrides, sizeOf } from "../shapes.js";
import copySource from "./copy.cu";

const THREADS = 256;

/** Values in the widest word. */
const WIDTH = 4;

/** Words that are copied at once: a value of four bytes, four of them, and the same of two bytes. */
type Word = "int" | "int4" | "short" | "short4";

function copyProgram(word: Word, bytes: number) {
  return defineProgram({
    name: `copy strided ${word}`,
    source: copySource,
    entry: "copy_strided",
    defines: { WORD: word },
    params: {
      x: "stored",
      y: "stored",
      loops: "pointer",
      rank: "i32",
      from: "i32",
      to: "i32",
      count: "i32",
    },
    block: THREADS,
    work: ({ count }) => ({ bytes: 2 * bytes * count, flops: 0 }),
  });
}

const copies: Readonly<
  Record<ElementStorage, Readonly<Record<"narrow" | "wide", ReturnType<typeof copyProgram>>>>
> = {
  f32: { narrow: copyProgram("int", 4), wide: copyProgram("int4", 16) },
  bf16: { narrow: copyProgram("short", 2), wide: copyProgram("short4", 8) },
};

/** A copy between two boxes of one size. Strides and first elements count values. */
export interface Copy {
  readonly x: tf.TensorInfo;
  readonly y: tf.TensorInfo;
  readonly sizes: readonly number[];
  readonly xStrides: readonly number[];
  readonly yStrides: readonly number[];
  /** First element in x. Default 0. */
  readonly from?: number;
  /** First element in y. Default 0. */
  readonly to?: number;
}

/** Copies values of any type, which both tensors keep in the same way: see {@link Copy}. */
export function copyStrided(
  backend: CudaBackend,
  { x, y, sizes, xStrides, yStrides, from = 0, to = 0 }: Copy,
): void {
  const count = sizeOf(sizes);
  if (count === 0) return;
  const loops = mergedLoops(sizes, xStrides, yStrides);
  const isWide = allowsWide(loops) && from % WIDTH === 0 && to % WIDTH === 0;
  const used = isWide ? widened(loops) : loops;
  const scale = isWide ? WIDTH : 1;
  backend.dispatch(copies[storageOf(x)][isWide ? "wide" : "narrow"], {
    grid: [Math.ceil(count / scale / THREADS)],
    args: {
      x,
      y,
      loops: loopTable(used),
      rank: used.length,
      from: from / scale,
      to: to / scale,
      count: count / scale,
    },
  });
}

function allowsWide(loops: readonly Loop[]): boolean {
  const inner = loops.at(-1) as Loop;
  const contiguous = inner.size % WIDTH === 0 && inner.strides.every((stride) => stride === 1);
  return (
    contiguous && loops.slice(0, -1).every(({ strides }) => strides.every((stride) => stride % WIDTH === 0))
  );
}

/** The same loops over words of four values. */
function widened(loops: readonly Loop[]): Loop[] {
  return loops.map(({ size, strides: [x, y] }, i) =>
    i === loops.length - 1
      ? { size: size / WIDTH, strides: [1, 1] }
      : { size, strides: [x / WIDTH, y / WIDTH] },
  );
}

/** Copies the box at `begin` of x, which has the size of y, into y. */
export function copyBox(
  backend: CudaBackend,
  { x, y, begin }: { x: tf.TensorInfo; y: tf.TensorInfo; begin: readonly number[] },
): void {
  const xStrides = rowMajorStrides(x.shape);
  const from = xStrides.reduce((sum, stride, axis) => sum + stride * (begin[axis] as number), 0);
  copyStrided(backend, { x, y, sizes: y.shape, xStrides, yStrides: rowMajorStrides(y.shape), from });
}

/** Writes one number everywhere. */
export function fill(backend: CudaBackend, y: tf.TensorInfo, value: number): void {
  backend.fill(y, bitsOf(value, y.dtype));
}

/** Kernels that copy. */
export const copyPrograms: readonly Program[] = Object.values(copies).flatMap((words) =>
  Object.values(words),
);

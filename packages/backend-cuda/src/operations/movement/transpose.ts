import { BasicError } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import type { CudaBackend } from "../../backend.js";
import { type ElementStorage, storageOf } from "../../memory/storage.js";
import { defineProgram, type Program } from "../../program.js";
import { bytesOf } from "../../work.js";
import { operation } from "../operation.js";
import { type Loop, mergedLoops, rowMajorStrides, sizeOf } from "../shapes.js";
import { copyStrided } from "./copy.js";
import source from "./transpose.cu";

const TILE = 32;

function tilesProgram(name: string, word: "int" | "short") {
  return defineProgram({
    name,
    source,
    entry: "transpose_tiles",
    defines: { WORD: word },
    params: { x: "stored", y: "stored", rows: "i32", columns: "i32", across: "i32", down: "i32" },
    block: [TILE, 8],
    work: ({ x, y }) => ({ bytes: bytesOf(x, y), flops: 0 }),
  });
}

const tiles: Readonly<Record<ElementStorage, ReturnType<typeof tilesProgram>>> = {
  f32: tilesProgram("Transpose tiles", "int"),
  bf16: tilesProgram("Transpose tiles, bf16", "short"),
};

/** Transpose: through tiles where the last two axes swap, as another view where nothing moves, else by strides. */
export const transpose = operation<"x", { perm: readonly number[] }>(
  ({ name, inputs: { x }, attrs: { perm }, backend, allocate }) => {
    checkPermutation(name, perm);
    const strides = rowMajorStrides(x.shape);
    const shape = perm.map((axis) => x.shape[axis] as number);
    const [xStrides, yStrides] = [perm.map((axis) => strides[axis] as number), rowMajorStrides(shape)];
    const loops = mergedLoops(shape, xStrides, yStrides);
    if (loops.length === 1 && loops[0]?.strides[0] === 1) return backend.alias(x, shape);
    const y = allocate(shape, x.dtype, storageOf(x));
    const swap = swapOf(loops);
    if (swap === undefined) copyStrided(backend, { x, y, sizes: shape, xStrides, yStrides });
    else swapLast(backend, { x, y, ...swap });
    return y;
  },
);

/** tfjs checks everything but this. */
function checkPermutation(name: string, perm: readonly number[]): void {
  if (new Set(perm).size === perm.length) return;
  throw new BasicError("E_SHAPE", `${name}: [${perm.join(", ")}] names an axis twice. Give every axis once.`);
}

interface Swap {
  readonly batches: number;
  /** Of x. */
  readonly rows: number;
  readonly columns: number;
}

/** The sizes of `[batches, rows, columns]` where the loops of the result go through its columns, then its rows. */
function swapOf(loops: readonly Loop[]): Swap | undefined {
  const [batch, outer, inner] = loops.length === 2 ? [undefined, ...loops] : loops;
  if (loops.length > 3 || outer === undefined || inner === undefined) return undefined;
  const [rows, columns] = [inner.size, outer.size];
  const swapped = outer.strides[0] === 1 && inner.strides[0] === columns;
  if (!swapped || (batch !== undefined && batch.strides[0] !== rows * columns)) return undefined;
  return { batches: batch?.size ?? 1, rows, columns };
}

/** y `[batches, columns, rows]` = x `[batches, rows, columns]` with its last two axes swapped. */
export function swapLast(
  backend: CudaBackend,
  { x, y, batches, rows, columns }: Swap & { readonly x: tf.TensorInfo; readonly y: tf.TensorInfo },
): void {
  if (sizeOf(y.shape) === 0) return;
  const [across, down] = [Math.ceil(columns / TILE), Math.ceil(rows / TILE)];
  backend.dispatch(tiles[storageOf(x)], {
    grid: [batches * across * down],
    args: { x, y, rows, columns, across, down },
  });
}

/** Kernels of Transpose. */
export const transposePrograms: readonly Program[] = Object.values(tiles);

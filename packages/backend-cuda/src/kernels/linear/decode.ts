import type { PackedStorage } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import type { Pointer } from "../../arguments.js";
import type { CudaBackend } from "../../backend.js";
import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import source from "./decode.cu";
import { packedStorages, storageNumbers } from "./storage.js";

const THREADS = 128;
/** Columns of a block: 16 a thread. */
const COLUMNS = 16 * THREADS;

/** Writes the values of a packed weight to `values` `[rows, width]`. */
export function decodeWeight(
  backend: CudaBackend,
  storage: PackedStorage,
  { weight, values }: { readonly weight: Pointer; readonly values: tf.TensorInfo },
): void {
  const [rows, width] = values.shape as [number, number];
  const grid = [rows, Math.ceil(width / COLUMNS)] as const;
  backend.dispatch(programOf(storage), { grid, args: { weight, values, width } });
}

function programOf(storage: PackedStorage) {
  return defineProgram({
    name: `decode ${storage}`,
    source,
    entry: "decode",
    defines: { STORAGE: storageNumbers[storage] },
    params: { weight: "pointer", values: "activation", width: "i32" },
    block: THREADS,
    work: ({ weight, values }) => ({ bytes: bytesOf(weight, values), flops: countOf(values) }),
  });
}

/** Every program that decodes weights. */
export const decodePrograms = packedStorages.map(programOf);

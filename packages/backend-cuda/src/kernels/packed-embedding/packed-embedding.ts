import { type PackedStorage, packedEmbedding, wordCount } from "@basic-mllm/core";
import { defineProgram } from "../../program.js";
import { bytesOf, countOf } from "../../work.js";
import { implement } from "../implement.js";
import { packedStorages, storageNumbers } from "../linear/storage.js";
import source from "./packed-embedding.cu";

const THREADS = 128;
/** Columns of a block: 16 a thread. */
const COLUMNS = 16 * THREADS;

/** BasicPackedEmbedding. */
export function registerPackedEmbedding(): void {
  implement(
    packedEmbedding,
    ({ inputs: { table }, attrs: { storage, width, ids }, out, dispatch }) => {
      const grid = [ids.length, Math.ceil(width / COLUMNS)] as const;
      dispatch(programOf(storage), { grid, args: { table, ids, y: out(0), width } });
    },
    { reads: "all", outputs: [0] },
  );
}

function programOf(storage: PackedStorage) {
  return defineProgram({
    name: `packed embedding ${storage}`,
    source,
    entry: "packed_embedding",
    defines: { STORAGE: storageNumbers[storage] },
    params: { table: "pointer", ids: "pointer", y: "activation", width: "i32" },
    block: THREADS,
    // Of the table, the rows that are asked for: its values take as many bytes each as the storage has.
    work: ({ ids, y }) => ({
      bytes: bytesOf(ids, y) + bytesOfValues(storage, countOf(y)),
      flops: countOf(y),
    }),
  });
}

/** Bytes of packed values. */
function bytesOfValues(storage: PackedStorage, count: number): number {
  return 4 * wordCount(storage, count);
}

/** Every program of packed tables. */
export const packedEmbeddingPrograms = packedStorages.map(programOf);

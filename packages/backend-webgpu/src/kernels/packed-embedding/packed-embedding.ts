// v1  one thread for four values; a table that one binding cannot hold takes several dispatches

import { type PackedStorage, packedEmbedding, wordCount } from "@basic-mllm/core";

import { defineProgram } from "../../program.js";
import { overCount } from "../elementwise.js";
import { implement } from "../implement.js";
import { bindable, cut } from "../parts.js";
import { packedGatherCode } from "./packed-embedding.wgsl.js";

/** So many rows are whole words in every storage, and end where a binding may start. */
const ROWS = 256;

/** BasicPackedEmbedding. */
export function registerPackedEmbedding(): void {
  implement(packedEmbedding, ({ backend, inputs, attrs, size, out, dispatch }) => {
    const { storage, height, width, ids } = attrs;
    const rowWords = wordCount(storage, ROWS * width) / ROWS;
    const { uniforms, workgroups } = overCount(ids.length * width, backend);
    for (const { first, count } of cut(height, bindable(backend, rowWords * 4), ROWS)) {
      const offset = first * rowWords;
      const length = Math.min(Math.ceil(count * rowWords), size("table", 0) - offset);
      dispatch(programOf(storage), {
        reads: { weight: { tensor: inputs.table, offset, length }, ids },
        writes: { y: out(0) },
        uniforms: { ...uniforms, width, first, bound: count },
        workgroups,
      });
    }
  });
}

function programOf(storage: PackedStorage) {
  return defineProgram({
    name: `gather rows ${storage}`,
    reads: { weight: "i32", ids: "i32" },
    writes: { y: "f32" },
    uniforms: { count: "u32", width: "u32", first: "i32", bound: "i32" },
    code: () => packedGatherCode(storage),
  });
}

import type { NativeBindings } from "./bindings.js";
import type { BlockPool, BlockSource } from "./block-pool.js";

/** Stands in for native memory and kernels: nothing is computed, but the pool is asked for what it would give. */
export interface Rehearsal {
  readonly pool: BlockPool;
  readonly native: NativeBindings;
}

/** A rehearsal that starts with the memory that `pool` has now. */
export function createRehearsal(pool: BlockPool): Rehearsal {
  return { pool: pool.twin(createSharedSource()), native: createIdleBindings() };
}

/** Blocks that are all views of one buffer, as long as the longest: their content means nothing. */
function createSharedSource(): BlockSource {
  let shared = new ArrayBuffer(0);
  return {
    allocateBlock: (floats) => {
      const bytes = floats * Float32Array.BYTES_PER_ELEMENT;
      if (bytes > shared.byteLength) shared = new ArrayBuffer(bytes);
      return new Float32Array(shared, 0, floats);
    },
    freeBlock: () => true,
  };
}

/** Kernels that return at once. */
function createIdleBindings(): NativeBindings {
  const idle = () => undefined;
  return new Proxy({} as NativeBindings, { get: () => idle });
}

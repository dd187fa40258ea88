import type * as tf from "@tensorflow/tfjs-core";

/**
 * Processes that train one model together. The loop calls every method on all ranks, in the same order.
 *
 * The default is {@link singleProcess}; an adapter for an existing engine (MPI, NCCL) implements the rest.
 */
export interface Collective {
  /** This process, from 0. Rank 0 writes metrics and checkpoints. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Sums host numbers over all ranks. */
  sumNumbers(values: readonly number[]): Promise<readonly number[]>;
  /** Sums tensors over all ranks. Takes ownership of its arguments; the results are the caller's. */
  sumTensors(tensors: readonly tf.Tensor[]): Promise<readonly tf.Tensor[]>;
  /** Gives every rank the bytes of rank 0; the others pass null. */
  broadcast(bytes: Uint8Array | null): Promise<Uint8Array | null>;
  /** Waits until all ranks are here. */
  barrier(): Promise<void>;
}

/** One process: every collective is the identity. */
export const singleProcess: Collective = {
  rank: 0,
  size: 1,
  sumNumbers: async (values) => values,
  sumTensors: async (tensors) => tensors,
  broadcast: async (bytes) => bytes,
  barrier: async () => undefined,
};

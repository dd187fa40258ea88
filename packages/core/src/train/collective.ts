import type * as tf from "@tensorflow/tfjs-core";

import { BasicError, type ErrorCode } from "../errors.js";

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

/** What rank 0 says about its work. */
type Report = { readonly text: string } | { readonly code: ErrorCode; readonly error: string };

/**
 * Does work of rank 0 that the other ranks wait for with {@link hearFirstRank}: they learn of an error too.
 *
 * @param textOf - What they are told of the result.
 */
export async function onFirstRank<Result>(
  collective: Collective,
  work: () => Promise<Result>,
  textOf: (result: Result) => string,
): Promise<Result> {
  if (collective.size === 1) return work();
  const tell = (report: Report) => collective.broadcast(new TextEncoder().encode(JSON.stringify(report)));
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    const code = error instanceof BasicError ? error.code : "E_INTERRUPTED";
    await tell({ code, error: error instanceof Error ? error.message : String(error) });
    throw error;
  }
  await tell({ text: textOf(result) });
  return result;
}

/**
 * Waits for the work of rank 0.
 *
 * @throws {@link BasicError} with the code of rank 0's error where its work failed.
 */
export async function hearFirstRank(collective: Collective): Promise<string> {
  const bytes = (await collective.broadcast(null)) ?? new Uint8Array();
  const report = JSON.parse(new TextDecoder().decode(bytes)) as Report;
  if ("text" in report) return report.text;
  throw new BasicError(
    report.code,
    `Rank ${collective.rank} stops because rank 0 did: ${report.error.replace(/ \[E_\w+\]$/, "")}`,
  );
}

/** Whether any rank says so. One process asks nobody. */
export async function anyRank(collective: Collective, own: boolean): Promise<boolean> {
  if (collective.size === 1) return own;
  const [sum] = await collective.sumNumbers([own ? 1 : 0]);
  return (sum as number) > 0;
}

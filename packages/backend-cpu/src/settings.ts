import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

import { BasicError, type Precision } from "@basic-mllm/core";

import { cgroupCpus } from "./cgroup.js";

const MOST_THREADS = 1024;

/** Number of threads: the option, else `BASIC_MLLM_THREADS`, else the CPUs that this process may use. */
export function resolveThreads(option: number | undefined): number {
  const { BASIC_MLLM_THREADS: variable } = process.env;
  const given = option ?? (variable === undefined || variable === "" ? undefined : Number(variable));
  if (given === undefined) return defaultThreads();
  if (Number.isInteger(given) && given >= 1 && given <= MOST_THREADS) return given;
  const source =
    option === undefined
      ? "BASIC_MLLM_THREADS (the environment variable, or `--threads` of a command)"
      : "the option `threads`";
  throw new BasicError(
    "E_BACKEND_START",
    `The CPU backend needs a number of threads from 1 to ${MOST_THREADS}, but ${source} is ` +
      `${option ?? JSON.stringify(variable)}. Give a whole number, or leave it out to use all CPUs.`,
  );
}

/** CPUs by affinity (which Node counts) and by the quota of a container, whichever is less. */
function defaultThreads(): number {
  const quota = cgroupCpus(readIfThere) ?? Number.POSITIVE_INFINITY;
  // A thread more than the quota would be stopped while the others wait for it.
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota), MOST_THREADS));
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Instruction set: the option, else `BASIC_MLLM_SIMD`, else the first of `available`. */
export function resolveInstructionSet(option: string | undefined, available: readonly string[]): string {
  const { BASIC_MLLM_SIMD: variable } = process.env;
  const given = option ?? (variable === "" ? undefined : variable) ?? available[0];
  const found = available.find((name) => name === given);
  if (found !== undefined) return found;
  const source =
    option === undefined ? "the environment variable BASIC_MLLM_SIMD" : "the option `instructionSet`";
  throw new BasicError(
    "E_BACKEND_START",
    `The CPU backend can use the instruction sets ${available.join(", ")} on this CPU, but ${source} is ` +
      `${JSON.stringify(given)}. Give one of these, or leave it out to use ${available[0]}.`,
  );
}

/** Precisions of matrix products that `start` takes. */
export const precisions: readonly Precision[] = ["f32", "bf16"];

/** The option, else `BASIC_MLLM_PRECISION`, else `f32`. */
export function resolvePrecision(option: Precision | undefined): Precision {
  const { BASIC_MLLM_PRECISION: variable } = process.env;
  const given: string = option ?? (variable === undefined || variable === "" ? "f32" : variable);
  if (given === "f32" || given === "bf16") return given;
  const source =
    option === undefined ? "the environment variable BASIC_MLLM_PRECISION" : "the option `precision`";
  throw new BasicError(
    "E_BACKEND_START",
    `The CPU backend multiplies in "f32" or "bf16", but ${source} is ${JSON.stringify(given)}. ` +
      "Give one of these, or leave it out for f32.",
  );
}

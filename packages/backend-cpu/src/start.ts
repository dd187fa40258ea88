import { BasicError, type Precision } from "@basic-mllm/core";

import { openEngine, resolveEngine } from "./engine.js";
import { type Engine, type EngineName, runningEngine, runOn } from "./run.js";
import { resolveInstructionSet, resolvePrecision, resolveThreads } from "./settings.js";

/** How to start the CPU backend. */
export interface StartOptions {
  /**
   * Threads for the kernels. Default: `BASIC_MLLM_THREADS`, else the CPUs that this process may use, by affinity and
   * by the quota of a container. Results do not depend on it.
   */
  readonly threads?: number;
  /**
   * Instruction set of all kernels: `avx512`, `avx2` or `baseline` on x86-64, `neon` on ARM, `simd128` in WebAssembly.
   * Default: `BASIC_MLLM_SIMD`, else the best that the CPU has.
   */
  readonly instructionSet?: string;
  /**
   * How matrix products treat their operands. `f32` (the default, or `BASIC_MLLM_PRECISION`) is exact; `bf16` rounds
   * them to bfloat16 and sums in float32: faster where the CPU multiplies bfloat16, and the same result elsewhere up
   * to the order of a sum. Parameters, activations and moments stay float32.
   */
  readonly precision?: Precision;
  /**
   * Kernels as an addon for this platform, or as WebAssembly. Default: `BASIC_MLLM_ENGINE`, else native ones;
   * WebAssembly, with a warning of the process, only where this platform has none.
   */
  readonly engine?: EngineName;
}

/**
 * Makes the CPU backend the current tfjs backend and returns its tfjs name. May be called again.
 *
 * @throws BasicError `E_BACKEND_START` when there are no kernels for this platform, the number of threads is no count,
 *   the CPU lacks the instruction set, or the precision is not known; `E_BACKEND_CONFLICT` when this process runs on the
 *   other engine.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  const threads = resolveThreads(options.threads);
  const precision = resolvePrecision(options.precision);
  const engine = await engineFor(resolveEngine(options.engine), threads);
  const instructionSet = resolveInstructionSet(options.instructionSet, engine.bindings.instructionSets());
  return runOn(engine, { threads, instructionSet, precision });
}

async function engineFor(wanted: EngineName | undefined, threads: number): Promise<Engine> {
  const running = runningEngine();
  if (running === undefined) {
    const engine = await openEngine(wanted, threads);
    if (engine.reason !== undefined) warn(engine.reason);
    return engine;
  }
  if (wanted === undefined || wanted === running.name) return running;
  throw new BasicError(
    "E_BACKEND_CONFLICT",
    `The CPU backend runs as "${running.name}" in this process, but "${wanted}" is asked for. ` +
      "Start another process for it: tensors live in the memory of one.",
  );
}

function warn(reason: string): void {
  process.emitWarning(
    `basic-mllm computes with WebAssembly, which is slower, because there are no native kernels: ${reason}`,
    { code: "BASIC_MLLM_WASM" },
  );
}

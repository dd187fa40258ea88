import { BasicError } from "@basic-mllm/core";

import { type Engine, type EngineName, openEngine, resolveEngine } from "./engine.js";
import { runOn } from "./run.js";
import { type Precision, resolveInstructionSet, resolvePrecision, resolveThreads } from "./settings.js";

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

/** The kernels of this process: tensors live in their memory. */
let current: Engine | undefined;

/**
 * Makes the CPU backend the current tfjs backend and returns its tfjs name. May be called again.
 *
 * @throws BasicError `E_BACKEND_START` when there are no kernels for this platform, the number of threads is no count,
 *   or the CPU lacks the instruction set; `E_BACKEND_CONFLICT` when this process runs on the other engine.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  const threads = resolveThreads(options.threads);
  const precision = resolvePrecision(options.precision);
  const { bindings } = await engineFor(resolveEngine(options.engine), threads);
  const instructionSet = resolveInstructionSet(options.instructionSet, bindings.instructionSets());
  bindings.setThreadCount(threads);
  bindings.setInstructionSet(instructionSet);
  bindings.setBf16Products(precision === "bf16");
  return runOn(bindings);
}

async function engineFor(wanted: EngineName | undefined, threads: number): Promise<Engine> {
  if (current === undefined) {
    current = await openEngine(wanted, threads);
    if (current.reason !== undefined) warn(current.reason);
  }
  if (wanted === undefined || wanted === current.name) return current;
  throw new BasicError(
    "E_BACKEND_CONFLICT",
    `The CPU backend runs as "${current.name}" in this process, but "${wanted}" is asked for. ` +
      "Start another process for it: tensors live in the memory of one.",
  );
}

function warn(reason: string): void {
  process.emitWarning(
    `basic-mllm computes with WebAssembly, which is slower, because there are no native kernels: ${reason}`,
    { code: "BASIC_MLLM_WASM" },
  );
}

/**
 * What the started backend computes with, for people: engine, instruction set, threads.
 *
 * @throws BasicError `E_BACKEND_START` before {@link start}.
 */
export function describe(): string {
  if (current === undefined) {
    throw new BasicError("E_BACKEND_START", "The CPU backend has not been started. Call start() first.");
  }
  const { name, bindings, reason } = current;
  const kind = name === "native" ? "native kernels" : "WebAssembly kernels";
  const threads = bindings.threadCount();
  const size = `${threads} ${threads === 1 ? "thread" : "threads"}`;
  return `${kind}, ${bindings.instructionSet()}, ${size}${reason === undefined ? "" : `. ${reason}`}`;
}

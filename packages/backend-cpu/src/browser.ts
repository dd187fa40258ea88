import { BasicError } from "@basic-mllm/core";

import { kernelError } from "./kernel-error.js";
import { type Engine, runningEngine, runOn } from "./run.js";

export { BACKEND_NAME, CpuBackend, type Output } from "./backend.js";
export { describe } from "./run.js";

/** How to start the CPU backend in a browser. */
export interface StartOptions {
  /** Threads for the kernels, the same at every start. Default: the browser's `hardwareConcurrency`. */
  readonly threads?: number;
}

/**
 * Makes the CPU backend, as WebAssembly, the current tfjs backend and returns its tfjs name.
 *
 * It needs a cross-origin isolated page, for shared memory, and runs in a Worker of it: a page's main thread must not
 * wait for other threads.
 *
 * @throws BasicError `E_BACKEND_START` elsewhere, and where the number of threads is changed.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  const running = runningEngine();
  const threads = options.threads ?? running?.bindings.threadCount() ?? navigator.hardwareConcurrency;
  if (!Number.isInteger(threads) || threads < 1) {
    throw new BasicError(
      "E_BACKEND_START",
      `The option \`threads\` is ${threads}. Give a whole number from 1.`,
    );
  }
  const started = running?.bindings.threadCount();
  if (started !== undefined && started !== threads) {
    throw new BasicError(
      "E_BACKEND_START",
      `The CPU backend has ${started} threads, but ${threads} are asked for. In a browser their number is fixed when ` +
        "it starts: begin in a new Worker.",
    );
  }
  const engine = running ?? (await openWasm(threads));
  return runOn(engine, { threads, instructionSet: engine.bindings.instructionSet() });
}

async function openWasm(threads: number): Promise<Engine> {
  try {
    // biome-ignore lint/correctness/noUndeclaredDependencies: a platform package, declared when this one is released
    const { open } = await import("@basic-mllm/backend-cpu-wasm32");
    return { name: "wasm", bindings: await open(threads, kernelError) };
  } catch (cause) {
    throw new BasicError(
      "E_BACKEND_START",
      `The CPU backend does not start: ${String(cause)}. A browser needs the package ` +
        "@basic-mllm/backend-cpu-wasm32 beside @basic-mllm/backend-cpu.",
      { cause },
    );
  }
}

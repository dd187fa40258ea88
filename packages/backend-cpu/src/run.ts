import { type BackendThreads, BasicError, findKernel, type Precision } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, CpuBackend } from "./backend.js";
import type { NativeBindings } from "./bindings.js";
import { registerContractKernels } from "./kernels/index.js";
import { registerOperations } from "./operations/index.js";
import { countJavascriptCalls } from "./operations/javascript.js";

/** What the kernels run as: an addon for this platform, or WebAssembly. */
export type EngineName = "native" | "wasm";

/** Kernels that are loaded. */
export interface Engine {
  readonly name: EngineName;
  readonly bindings: NativeBindings;
  /** Why this is not the native one, where nobody asked for that. */
  readonly reason?: string;
}

/** The kernels of this process: tensors live in their memory. */
let running: Engine | undefined;

/** The engine that was started, if any. */
export function runningEngine(): Engine | undefined {
  return running;
}

/** Makes these kernels the current tfjs backend, registering it the first time; gives its tfjs name. */
export async function runOn(
  engine: Engine,
  settings: { readonly threads: number; readonly instructionSet: string; readonly precision?: Precision },
): Promise<string> {
  const { bindings } = engine;
  running = engine;
  if (bindings.threadCount() !== settings.threads) bindings.setThreadCount(settings.threads);
  bindings.setInstructionSet(settings.instructionSet);
  bindings.setBf16Products(settings.precision === "bf16");
  if (tf.findBackendFactory(BACKEND_NAME) === null) {
    tf.registerBackend(BACKEND_NAME, () => new CpuBackend(bindings), 0);
  }
  if (findKernel("Add", BACKEND_NAME) === undefined) {
    tf.copyRegisteredKernels("cpu", BACKEND_NAME);
    countJavascriptCalls();
    registerOperations();
    registerContractKernels();
  }
  if (!(await tf.setBackend(BACKEND_NAME))) {
    throw new BasicError(
      "E_BACKEND_START",
      `tfjs refused the backend "${BACKEND_NAME}"; see its warning above.`,
    );
  }
  return BACKEND_NAME;
}

/** Threads of the started kernels; undefined in WebAssembly, which starts with all that it will have. */
export function threads(): BackendThreads | undefined {
  if (running?.name !== "native") return undefined;
  const { bindings } = running;
  return { count: () => bindings.threadCount(), set: (count) => bindings.setThreadCount(count) };
}

/**
 * What the started backend computes with, for people: engine, instruction set, threads.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
export function describe(): string {
  if (running === undefined) {
    throw new BasicError("E_BACKEND_START", "The CPU backend has not been started. Call start() first.");
  }
  const { name, bindings, reason } = running;
  const kind = name === "native" ? "native kernels" : "WebAssembly kernels";
  const threads = bindings.threadCount();
  const size = `${threads} ${threads === 1 ? "thread" : "threads"}`;
  const products = bindings.bf16Products() ? ", products in bf16" : "";
  return `${kind}, ${bindings.instructionSet()}${products}, ${size}${reason === undefined ? "" : `. ${reason}`}`;
}

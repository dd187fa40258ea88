import type { NativeBindings } from "../bindings.js";
import type { CreateError } from "./calls.js";
import { startModule } from "./module.js";

const FILE = "./basic-mllm-cpu.wasm";

/**
 * Loads the kernels as WebAssembly, with threads.
 *
 * @param threads - The most that will be used. A browser must start their workers in advance.
 * @param createError - Makes the errors of kernels that fail.
 */
export function open(threads: number, createError: CreateError): Promise<NativeBindings> {
  const inNode = typeof process === "object" && process.versions?.node !== undefined;
  return inNode ? openInNode(createError) : openInBrowser(threads, createError);
}

async function openInNode(createError: CreateError): Promise<NativeBindings> {
  const { readFile } = await import("node:fs/promises");
  const { Worker } = await import("node:worker_threads");
  const module = await WebAssembly.compile(await readFile(new URL(FILE, import.meta.url)));
  const createWorker = () => {
    // Its own options: what loads TypeScript or tests in this process has no place there.
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), { execArgv: [], env: {} });
    worker.unref();
    return worker;
  };
  return startModule({ module, createWorker, workers: 0, variables: {}, createError });
}

async function openInBrowser(threads: number, createError: CreateError): Promise<NativeBindings> {
  if (globalThis.crossOriginIsolated !== true) {
    throw new Error(
      "this page is not cross-origin isolated, so that it has no shared memory. Serve it with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
    );
  }
  if (typeof document !== "undefined") {
    throw new Error("a page's main thread must not wait for others. Call start() in a Worker of the page");
  }
  const module = await WebAssembly.compileStreaming(fetch(new URL(FILE, import.meta.url)));
  const createWorker = () => new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
  return startModule({
    module,
    createWorker,
    workers: threads > 1 ? threads : 0,
    variables: {},
    createError,
  });
}

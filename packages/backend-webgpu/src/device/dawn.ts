import { BasicError } from "@basic-mllm/core";

import { reasonOf } from "./open.js";

/** One for the process, for good: Dawn ends with the process's devices, used or not, when nothing refers to it. */
let opened: GPU | undefined;

/**
 * WebGPU in Node: Dawn, out of the package `webgpu`. Defines the global names of WebGPU, such as `GPUBuffer`, which
 * tfjs's backend looks at.
 *
 * @throws BasicError `E_BACKEND_START` where the package is not installed or has nothing for this platform.
 */
export async function openDawn(): Promise<GPU> {
  if (opened !== undefined) return opened;
  try {
    const { create, globals } = await import("webgpu");
    for (const [name, value] of Object.entries(globals)) {
      if (!(name in globalThis)) Reflect.set(globalThis, name, value);
    }
    // Dawn rounds timestamps to 0.1 ms, as a browser must: more than many kernels take.
    opened = create(["disable-dawn-features=timestamp_quantization"]) as unknown as GPU;
    return opened;
  } catch (cause) {
    throw new BasicError(
      "E_BACKEND_START",
      `WebGPU in Node comes from the package "webgpu", which does not load: ${reasonOf(cause)}. ` +
        'Run: npm install webgpu, or use the backend "cpu".',
      { cause },
    );
  }
}

import { type StartOptions, startOn } from "./start.js";

export { BACKEND_NAME, WebGpuBackend } from "./backend.js";
export { describe, type StartOptions, startedBackend, stop } from "./start.js";

/**
 * Makes the WebGPU backend the current tfjs backend and returns its tfjs name. May be called again, and in a Worker.
 *
 * @throws BasicError `E_BACKEND_START` where the browser has no WebGPU, or no adapter that is large enough.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  return startOn(async () => (globalThis.navigator as Navigator | undefined)?.gpu, options);
}

import { openDawn } from "./device/dawn.js";
import { type StartOptions, startOn } from "./start.js";

export { BACKEND_NAME, WebGpuBackend } from "./backend.js";
export { describe, type StartOptions, startedBackend, stop } from "./start.js";

/**
 * Makes the WebGPU backend the current tfjs backend and returns its tfjs name. May be called again.
 *
 * @throws BasicError `E_BACKEND_START` where there is no adapter, one that is too small, or no package `webgpu`.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  return startOn(async () => (globalThis.navigator as Navigator | undefined)?.gpu ?? openDawn(), options);
}

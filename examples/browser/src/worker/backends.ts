import { type StartedBackend, startBackend } from "@basic-mllm/core";

import type { BackendChoice } from "../protocol.js";

/** Starts what the visitor chose, and nothing else. @throws `BasicError` `E_BACKEND_START`. */
export function startChosen(backend: BackendChoice): Promise<StartedBackend> {
  const load = (): Promise<unknown> =>
    backend === "webgpu" ? import("@basic-mllm/backend-webgpu") : import("@basic-mllm/backend-cpu");
  return startBackend(backend, { load });
}

/** Ends the WebGPU device, as a driver does that crashes. */
export async function loseDevice(): Promise<void> {
  const { startedBackend } = await import("@basic-mllm/backend-webgpu");
  startedBackend().device.destroy();
}

import { probeOn, type StartOptions, startOn } from "./start.js";

export { BACKEND_NAME, WebGpuBackend } from "./backend.js";
export type { BufferPool, PoolOptions } from "./device/buffer-pool.js";
export type { Failure } from "./device/failure.js";
export type { LimitName, Limits } from "./device/limits.js";
export type { DeviceOptions, OpenedDevice } from "./device/open.js";
export type { Pipeline, PipelineCache } from "./device/pipelines.js";
export type { KernelTime } from "./device/timestamps.js";
export type { Bindable, Dispatch, HostArray, Part } from "./dispatch.js";
export { defineProgram, type ElementType, type Program, type UniformType } from "./program.js";
export { describe, type StartOptions, startedBackend, stop, toleranceFactor } from "./start.js";

/**
 * Makes the WebGPU backend the current tfjs backend and returns its tfjs name. May be called again, and in a Worker.
 *
 * @throws BasicError `E_BACKEND_START` where the browser has no WebGPU, or no adapter that is large enough.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  return startOn(findGpu, options);
}

/**
 * The adapter that `start` would compute on. Starts nothing and changes no tfjs backend.
 *
 * @throws BasicError `E_BACKEND_START` for the reason for which `start` would.
 */
export async function probe(): Promise<string> {
  return probeOn(findGpu);
}

async function findGpu(): Promise<GPU | undefined> {
  return (globalThis.navigator as Navigator | undefined)?.gpu;
}

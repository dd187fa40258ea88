import { BasicError, findKernel } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, WebGpuBackend } from "./backend.js";
import { type DeviceOptions, openDevice } from "./device/open.js";
import { registerContractKernels } from "./kernels/index.js";
import { registerOperations } from "./operations/index.js";

/** How to start the WebGPU backend. */
export interface StartOptions extends DeviceOptions {
  /** WebGPU itself. Default: `navigator.gpu`; in Node, where there is none, Dawn out of the package `webgpu`. */
  readonly gpu?: GPU;
  /** Bytes of free buffers that are kept for the next tensors. Default 1 GiB. */
  readonly idleBytes?: number;
  /**
   * Whether `train` compiles the kernels of a stage before its first step. Default true, but not on a software adapter, which
   * compiles on the processors that wait for it.
   */
  readonly prepare?: boolean;
}

/**
 * Factor on every tolerance of the conformance suite and the recorded values: WGSL allows exp 3 + 2|x| units in the last
 * place, a division 2.5 and an inverse square root 2.
 */
export const toleranceFactor = 4;

let running: WebGpuBackend | undefined;

/** Opens a device and makes this backend the current one of tfjs, unless it runs already; gives its tfjs name. */
export async function startOn(
  findGpu: () => Promise<GPU | undefined>,
  { gpu, idleBytes, prepare, ...options }: StartOptions,
): Promise<string> {
  if (running === undefined) {
    const found = gpu ?? (await findGpu());
    const opened = await openDevice(found, options);
    const settings = {
      timestamps: options.timestamps === true,
      ...(idleBytes !== undefined && { idleBytes }),
      ...(prepare !== undefined && { prepare }),
    };
    running = withNavigator(found, () => new WebGpuBackend(opened, settings));
    register(running);
  }
  if (!(await tf.setBackend(BACKEND_NAME))) {
    throw new BasicError(
      "E_BACKEND_START",
      `tfjs refused the backend "${BACKEND_NAME}"; see its warning above.`,
    );
  }
  return BACKEND_NAME;
}

/** Opens a device, which says whether the backend would start, and ends it; gives the adapter's name. */
export async function probeOn(findGpu: () => Promise<GPU | undefined>): Promise<string> {
  if (running !== undefined) return running.deviceName;
  const { device, name } = await openDevice(await findGpu());
  device.destroy();
  return name;
}

/**
 * What the started backend computes with, for people.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
export function describe(): string {
  return startedBackend().deviceName;
}

/**
 * The started backend: its counters, and its device's loss.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
export function startedBackend(): WebGpuBackend {
  if (running !== undefined) return running;
  throw new BasicError("E_BACKEND_START", "The WebGPU backend has not been started. Call start() first.");
}

/** Ends the device, with all tensors on it. `start` opens another one. */
export function stop(): void {
  if (running === undefined) return;
  running = undefined;
  tf.removeBackend(BACKEND_NAME);
}

function register(backend: WebGpuBackend): void {
  tf.registerBackend(BACKEND_NAME, () => backend, 0);
  if (findKernel("Add", BACKEND_NAME) !== undefined) return;
  tf.copyRegisteredKernels("webgpu", BACKEND_NAME);
  registerOperations();
  registerContractKernels();
}

/** tfjs's backend refuses to be made where `navigator.gpu` is missing; Dawn keeps a process alive while it is there. */
function withNavigator<T>(gpu: GPU | undefined, make: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  const known = globalThis.navigator as Navigator | undefined;
  if (known?.gpu !== undefined) return make();
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true, writable: true });
  try {
    return make();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "navigator");
    else Object.defineProperty(globalThis, "navigator", before);
  }
}

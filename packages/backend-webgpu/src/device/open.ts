import { BasicError } from "@basic-mllm/core";

import { type Limits, limitsToRequest } from "./limits.js";

/** Optional abilities that kernels use where they are there. TypeScript's list of features is older than some. */
const FEATURES = ["shader-f16", "subgroups", "timestamp-query"] as const;

/** How to ask for an adapter and a device. */
export interface DeviceOptions {
  /** Which of several adapters. Default `high-performance`. */
  readonly powerPreference?: "high-performance" | "low-power";
  /** Upper bounds on limits that the device is asked for: to see how a recipe does on a smaller one. */
  readonly limits?: Partial<Limits>;
  /** Asks for an adapter that can time programs, for `WebGpuBackend.deviceTimes`. Browsers round to 0.1 ms. Default false. */
  readonly timestamps?: boolean;
}

/** A device and what it is called. */
export interface OpenedDevice {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  /** `google swiftshader (SwiftShader driver 5.0.0)`. */
  readonly name: string;
}

/**
 * A device of our own: with the abilities above and all of the limits that the adapter has.
 *
 * @throws BasicError `E_BACKEND_START` without an adapter, with one that is too small or cannot time what it is to time, or
 *   when it gives no device.
 */
export async function openDevice(gpu: GPU | undefined, options: DeviceOptions = {}): Promise<OpenedDevice> {
  const { powerPreference = "high-performance", limits, timestamps = false } = options;
  const adapter = gpu === undefined ? null : await gpu.requestAdapter({ powerPreference });
  if (gpu === undefined || adapter === null) throw noAdapter(gpu !== undefined);
  const { info } = adapter as GPUAdapter & { readonly info: GPUAdapterInfo };
  const name = nameOf(info);
  if (timestamps && !adapter.features.has("timestamp-query")) throw noTimestamps(name);
  const requiredLimits = limitsToRequest(name, adapter.limits as unknown as Limits, limits);
  const requiredFeatures = FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  try {
    const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
    return { device, info, name };
  } catch (cause) {
    throw new BasicError(
      "E_BACKEND_START",
      `The WebGPU adapter "${name}" gave no device: ${reasonOf(cause)}. Close other programs that use the GPU, ` +
        'update its driver, or use the backend "cpu".',
      { cause },
    );
  }
}

function noAdapter(hasWebGpu: boolean): BasicError {
  const what = hasWebGpu
    ? "WebGPU finds no adapter: this machine has no GPU with a driver for Vulkan, Metal or Direct3D 12 that it may use"
    : "There is no WebGPU here: navigator.gpu is undefined. It needs a current browser, and a secure page (https or localhost)";
  return new BasicError("E_BACKEND_START", `${what}. Use the backend "cpu", which runs everywhere.`);
}

function noTimestamps(name: string): BasicError {
  return new BasicError(
    "E_BACKEND_START",
    `The WebGPU adapter "${name}" cannot time kernels: it does not have the feature timestamp-query, which the option ` +
      "`timestamps` needs. Leave the option out, or use another adapter or a newer driver.",
  );
}

function nameOf(info: GPUAdapterInfo): string {
  const words = [info.vendor, info.architecture].filter((word) => word !== "").join(" ");
  const detail = info.description === "" ? info.device : info.description;
  if (words === "") return detail === "" ? "unnamed adapter" : detail;
  return detail === "" ? words : `${words} (${detail})`;
}

/** The words of an error. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/[.\s]+$/, "");
}

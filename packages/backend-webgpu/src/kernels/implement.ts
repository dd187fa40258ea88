import type { Attributes } from "@basic-mllm/core";
import { type DeviceCall, type DeviceKernels, deviceKernels } from "@basic-mllm/core/device";

import { BACKEND_NAME, type WebGpuBackend } from "../backend.js";

/** What a body works with. */
export type Call<Name extends string, Attrs extends Attributes> = DeviceCall<WebGpuBackend, Name, Attrs>;

/** Registers bodies on this backend. */
export const { implement, implementInPlace, implementWithCache }: DeviceKernels<WebGpuBackend> =
  deviceKernels(BACKEND_NAME);

/**
 * Workgroups for `count` independent pieces of work, over two axes where one is too short. The shader's number is
 * `group.x + group.y * groups.x`, and it must return where that is `count` or more.
 */
export function spread(count: number, backend: WebGpuBackend): readonly [number, number] {
  const most = backend.device.limits.maxComputeWorkgroupsPerDimension;
  if (count <= most) return [count, 1];
  const rows = Math.ceil(count / most);
  return [Math.ceil(count / rows), rows];
}

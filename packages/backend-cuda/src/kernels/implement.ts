import type { Attributes } from "@basic-mllm/core";
import { type DeviceCall, type DeviceKernels, deviceKernels } from "@basic-mllm/core/device";

import { BACKEND_NAME, type CudaBackend } from "../backend.js";

/** What a body works with. */
export type Call<Name extends string, Attrs extends Attributes> = DeviceCall<CudaBackend, Name, Attrs>;

/** Makes a tensor with arbitrary content, float32 by default. */
export type Allocate = CudaBackend["allocate"];

/** Registers bodies on this backend. */
export const { implement, implementInPlace, implementWithCache }: DeviceKernels<CudaBackend> =
  deviceKernels(BACKEND_NAME);

import { BasicError } from "@basic-mllm/core";
import { buildFakeLibraries, FakeDriver, fetchWheels } from "@basic-mllm/cuda-emulator";

import { type CudaBackend, type StartOptions, start, startedBackend, stop } from "../src/index.js";

const { cuda, cublasLt } = await buildFakeLibraries();
const { nvrtc } = await fetchWheels();

/** The driver whose device is the processor. */
export const fake = new FakeDriver(cuda);

/** Options that start the backend on the emulator. */
export function emulated({ libraries, ...options }: StartOptions = {}): StartOptions {
  return {
    image: "ptx",
    ...options,
    libraries: { cuda, cublasLt, nvrtc, ...libraries },
  };
}

/** A fresh backend on the emulator. */
export async function startOnEmulator(options: StartOptions = {}): Promise<CudaBackend> {
  stop();
  await start(emulated(options));
  return startedBackend();
}

/** The text of what `action` throws, which must be one of our errors; paths of libraries are left out. */
export async function errorOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof BasicError)
      return error.message.replaceAll(cuda, "LIBCUDA").replaceAll(nvrtc, "NVRTC");
    throw error;
  }
  throw new Error("Nothing was thrown.");
}

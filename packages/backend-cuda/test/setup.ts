import { delimiter, dirname } from "node:path";

import { buildFakeLibraries, fetchWheels } from "@basic-mllm/cuda-emulator";

/** What a process needs to find the emulator where it looks for NVIDIA's libraries. Builds it first. */
export async function emulatorEnvironment(): Promise<Readonly<Record<string, string>>> {
  const { cuda } = await buildFakeLibraries();
  const { nvrtc } = await fetchWheels();
  return { BASIC_MLLM_CUDA_LIBRARIES: [dirname(cuda), dirname(nvrtc)].join(delimiter) };
}

/** For tests: they run on the emulator, or with BASIC_MLLM_TEST_ADAPTER=hardware on the machine's GPU. */
export async function testEnvironment(): Promise<Readonly<Record<string, string>>> {
  return process.env["BASIC_MLLM_TEST_ADAPTER"] === "hardware" ? {} : emulatorEnvironment();
}

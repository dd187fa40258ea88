import { start, startedBackend } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";
import { LLAVA_7B, TINY, type Timing, timeKernels } from "./timings.js";

/** What the driver and the libraries say of themselves, in words. */
export async function deviceFacts(): Promise<readonly (readonly [name: string, value: string])[]> {
  await start(TEST_DEVICE);
  const { session, kernels, blas } = startedBackend();
  const { nvrtc } = kernels.compiler;
  const { name, architecture, totalBytes, multiprocessors, sharedBytes, hasMemoryPools } = session.device;
  const { free } = session.driver.memory();
  return [
    ["device", name],
    ["compute capability", (architecture / 10).toFixed(1)],
    ["memory", `${mebibytes(totalBytes)}, ${mebibytes(free)} free`],
    ["multiprocessors", String(multiprocessors)],
    ["shared memory of a block", `${sharedBytes / 1024} KiB`],
    ["memory pools", hasMemoryPools ? "yes" : "no"],
    ["driver's CUDA", String(session.driver.version())],
    ["NVRTC", `${nvrtc.version} (${nvrtc.path})`],
    ["cuBLASLt", `${blas.library.api.cublasLtGetVersion()} (${blas.library.path})`],
  ];
}

/** Times kernels: at the sizes of LLaVA-1.5-7B, or `tiny`. */
export async function timings(size: "llava-7b" | "tiny"): Promise<readonly Timing[]> {
  await start(TEST_DEVICE);
  return size === "tiny" ? timeKernels(TINY, { rounds: 1, roundMs: 1 }) : timeKernels(LLAVA_7B);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

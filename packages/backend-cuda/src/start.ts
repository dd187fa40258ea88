import { BasicError, findKernel, type Precision } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, CudaBackend } from "./backend.js";
import { Compiler } from "./compile/compiler.js";
import { defaultImageFolder, ImageCache } from "./compile/image-cache.js";
import type { Nvrtc } from "./compile/nvrtc.js";
import { openNvrtc } from "./compile/open.js";
import { type ImageKind, type Target, targetFor } from "./compile/target.js";
import { type BlasLibrary, BlasLt } from "./cublaslt/blas-lt.js";
import { findBlasLt } from "./cublaslt/open.js";
import { TENSOR_CORES_FROM } from "./device/constants.js";
import { cudaVersion } from "./device/driver.js";
import { readableBytes } from "./device/faults.js";
import { imaginedSession } from "./device/imagined.js";
import { type FoundDevice, findDevice, openSession } from "./device/open.js";
import { registerContractKernels } from "./kernels/index.js";
import type { LibraryPaths } from "./libraries.js";
import { findNccl, ncclVersion } from "./nccl/open.js";
import { registerOperations } from "./operations/index.js";

/** How to start the CUDA backend. */
export interface StartOptions {
  /** Index of the GPU. Default: BASIC_MLLM_CUDA_DEVICE, else 0. */
  readonly device?: number;
  /** Files of NVIDIA's libraries, instead of those that are found. */
  readonly libraries?: LibraryPaths;
  /**
   * `f32`, `tf32`: float32 all through, of which products, also those of attention, take the factors as they are, or rounded to 10
   * bits of mantissa, for the tensor cores of GPUs from compute capability 8.0 on. `bf16`: activations and their gradients are kept
   * in bfloat16, and products take their factors in it, with sums in float32; losses, weights, their gradients and the optimizer
   * stay in float32. Default `f32`.
   */
  readonly precision?: Precision;
  /** What kernels are compiled to. Default `cubin`; the driver compiles `ptx` itself, which takes longer. */
  readonly image?: ImageKind;
  /** Folder of compiled kernels. Default `cuda` in `BASIC_MLLM_CACHE` or the user's cache. */
  readonly imageFolder?: string;
  /** Bytes of device memory that are never exceeded. Default: what the device has. */
  readonly memoryLimit?: number;
  /**
   * Device memory without rounding and reuse, so that compute-sanitizer and the emulator see every access beyond a tensor.
   * Slow. Default: BASIC_MLLM_CUDA_EXACT_MEMORY is 1.
   */
  readonly exactMemory?: boolean;
  /**
   * Bytes of memory of a GPU to imagine: no driver, library or GPU is looked for, tensors have no values, and memory is only
   * counted, so that {@link CudaBackend.rehearse} tells whether a run would fit. Beside it only the precision matters.
   */
  readonly imagine?: number;
  /** Waits for every kernel, so that a fault names the one that made it. Default: BASIC_MLLM_CUDA_SYNCHRONOUS is 1. */
  readonly synchronous?: boolean;
}

/** That `start` can imagine a GPU: see {@link StartOptions.imagine}. */
export const imagines = true;

/** Precisions that recipes may ask for. */
export const precisions: readonly Precision[] = ["f32", "tf32", "bf16"];

/** Factor on every tolerance of the conformance suite and the recorded values: float32 products and sums as on the CPU, without `bf16`. */
export const toleranceFactor = 1;

const PRECISION_TEXTS: Readonly<Record<Precision, string>> = {
  f32: "",
  tf32: "; factors of products in tf32",
  bf16: "; activations and factors of products in bf16",
};

let running: CudaBackend | undefined;

/**
 * Makes the CUDA backend the current tfjs backend and returns its tfjs name. May be called again; only the first call's
 * options count.
 *
 * @throws BasicError `E_BACKEND_START` where there is no driver, GPU or compiler, or they do not fit together.
 */
export async function start(options: StartOptions = {}): Promise<string> {
  if (running === undefined) {
    running = options.imagine === undefined ? open(options) : imagined(options.imagine, options.precision);
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

/**
 * The GPU that `start` would compute on, and the NCCL that connects several. Starts nothing and changes no tfjs backend.
 *
 * @throws BasicError `E_BACKEND_START` for the reason for which `start` would.
 */
export async function probe(options: Pick<StartOptions, "device" | "libraries"> = {}): Promise<string> {
  const { libraries } = options;
  if (running !== undefined && !running.imagined) {
    return `${describe()}; ${ncclText(running.session.driver.version(), libraries)}`;
  }
  const found = findDevice(options.device ?? defaultDevice(), libraries);
  const version = found.driver.version();
  const device = deviceText(found, openNvrtc(version, libraries), findBlasLt(version, libraries));
  return `${device}; ${ncclText(version, libraries)}`;
}

/** One GPU needs none. */
function ncclText(driverVersion: number, libraries?: LibraryPaths): string {
  try {
    return `NCCL ${ncclVersion(findNccl(driverVersion, libraries).version)}`;
  } catch (error) {
    if (!(error instanceof BasicError)) throw error;
    return `one GPU only: ${error.message}`;
  }
}

/**
 * What the started backend computes with, for people.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
export function describe(): string {
  const backend = startedBackend();
  const { session } = backend;
  const kept = PRECISION_TEXTS[backend.precision];
  if (backend.imagined) return `${session.device.name}${kept}`;
  const { compiler } = backend.kernels;
  const { problem, folder } = compiler.cache;
  const uncached = problem === undefined ? "" : `; compiled kernels cannot be kept in ${folder}: ${problem}`;
  return `${deviceText(session, compiler.nvrtc, backend.blas.library)}${kept}${uncached}`;
}

/**
 * The started backend: its counters, and its memory.
 *
 * @throws BasicError `E_BACKEND_START` before `start`.
 */
export function startedBackend(): CudaBackend {
  if (running !== undefined) return running;
  throw new BasicError("E_BACKEND_START", "The CUDA backend has not been started. Call start() first.");
}

/** Gives the device back, with all tensors on it. `start` opens it again. */
export function stop(): void {
  if (running === undefined) return;
  running = undefined;
  tf.removeBackend(BACKEND_NAME);
}

function open(options: StartOptions): CudaBackend {
  const {
    device = defaultDevice(),
    libraries = {},
    precision = "f32",
    image = "cubin",
    memoryLimit,
  } = options;
  const { imageFolder = defaultImageFolder() } = options;
  const { synchronous = process.env["BASIC_MLLM_CUDA_SYNCHRONOUS"] === "1" } = options;
  const { exactMemory = process.env["BASIC_MLLM_CUDA_EXACT_MEMORY"] === "1" } = options;
  checkPrecision(precision);
  const found = findDevice(device, libraries);
  checkBf16(precision, found);
  const driverVersion = found.driver.version();
  const nvrtc = openNvrtc(driverVersion, libraries);
  const target = chooseTarget(found, nvrtc, image);
  const library = findBlasLt(driverVersion, libraries);
  const compiler = new Compiler(nvrtc, new ImageCache(imageFolder));
  const openBlas = ({ session, allocator }: CudaBackend) =>
    new BlasLt({ session, allocator, library, tf32: precision === "tf32" });
  const session = openSession(found, synchronous);
  try {
    const compilation = { compiler, target };
    return new CudaBackend({ session, compilation, memoryLimit, exactMemory, openBlas, precision });
  } catch (error) {
    session.close();
    throw error;
  }
}

/** An empty variable is none. */
function defaultDevice(): number {
  return Number(process.env["BASIC_MLLM_CUDA_DEVICE"] || 0);
}

/** Memory that is only counted. */
function imagined(totalBytes: number, precision: StartOptions["precision"] = "f32"): CudaBackend {
  checkPrecision(precision);
  if (!Number.isFinite(totalBytes) || totalBytes <= 0) {
    throw new BasicError(
      "E_BACKEND_START",
      `The memory of a GPU to imagine is a number of bytes above 0, got ${totalBytes}. Give \`imagine\` such a number, or leave it out.`,
    );
  }
  const openBlas = () => {
    throw new BasicError(
      "E_KERNEL_FAILED",
      "An imagined GPU has no products: start the backend on a device.",
    );
  };
  return new CudaBackend({ session: imaginedSession(totalBytes), openBlas, precision });
}

function checkPrecision(precision: string): void {
  if (precision === "f32" || precision === "tf32" || precision === "bf16") return;
  throw new BasicError(
    "E_BACKEND_START",
    `The CUDA backend computes in f32, tf32 or bf16, not in "${precision}". Leave \`precision\` out for f32.`,
  );
}

/** Tensor cores know bfloat16 from compute capability 8.0 on. */
function checkBf16(precision: string, { device: { name, architecture } }: FoundDevice): void {
  if (precision !== "bf16" || architecture >= TENSOR_CORES_FROM) return;
  throw new BasicError(
    "E_BACKEND_START",
    `The precision bf16 needs a GPU of compute capability ${TENSOR_CORES_FROM / 10}.0 (Ampere) or newer, but "${name}" has ` +
      `${architecture / 10}. Leave \`precision\` out for f32.`,
  );
}

function chooseTarget({ device }: FoundDevice, nvrtc: Nvrtc, image: ImageKind): Target {
  const target = targetFor(device.architecture, nvrtc.architectures, image);
  if (target !== undefined) return target;
  const oldest = Math.min(...nvrtc.architectures);
  throw new BasicError(
    "E_BACKEND_START",
    `NVRTC ${cudaVersion(nvrtc.version)} (${nvrtc.path}) compiles for compute capability ${oldest / 10} and newer, but ` +
      `"${device.name}" has ${device.architecture / 10}. Install an older one: \`pip install nvidia-cuda-nvrtc-cu12\`.`,
  );
}

/** `NVIDIA H100 80GB HBM3 (sm_90, 79.6 GiB, driver for CUDA 12.9, NVRTC 12.9, cuBLASLt 12.9)`. */
function deviceText({ driver, device }: FoundDevice, nvrtc: Nvrtc, { api }: BlasLibrary): string {
  const { name, architecture, totalBytes } = device;
  const blas = api.cublasLtGetVersion() / 10;
  const known = [driver.version(), nvrtc.version, blas].map(cudaVersion);
  const versions = `driver for CUDA ${known[0]}, NVRTC ${known[1]}, cuBLASLt ${known[2]}`;
  return `${name} (sm_${architecture}, ${readableBytes(totalBytes)}, ${versions})`;
}

function register(backend: CudaBackend): void {
  tf.registerBackend(BACKEND_NAME, () => backend, 0);
  if (findKernel("Identity", BACKEND_NAME) !== undefined) return;
  registerOperations();
  registerContractKernels();
}

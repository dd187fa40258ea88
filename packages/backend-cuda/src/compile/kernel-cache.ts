import { BasicError } from "@basic-mllm/core";

import { CUDA } from "../device/constants.js";
import { cudaVersion, DriverError } from "../device/driver.js";
import type { Session } from "../device/session.js";
import { allocateNative } from "../foreign/library.js";
import { type KernelProgram, type ParameterType, sameProgram } from "../program.js";
import type { Compiler, Image } from "./compiler.js";
import { type Target, targetFor } from "./target.js";

/** Shared memory that every kernel may use without being asked for. */
const PLAIN_SHARED_BYTES = 48 * 1024;

/** A loaded kernel and the native block that its arguments are packed into: no launch allocates. */
export interface LoadedKernel {
  readonly program: KernelProgram;
  /** Of the driver. */
  readonly handle: number;
  readonly block: readonly [number, number, number];
  readonly names: readonly string[];
  readonly types: readonly ParameterType[];
  /** Address of the array of pointers to the arguments. */
  readonly parameters: number;
  /** Arguments, 8 bytes apart. */
  readonly words: Uint32Array;
  readonly floats: Float32Array;
  /** Bytes of shared memory that its code declares. */
  readonly staticSharedBytes: number;
  /** Dynamic shared memory that it may ask for. */
  allowedSharedBytes: number;
}

/** What a cache needs. */
export interface KernelCacheOptions {
  readonly session: Session;
  readonly compiler: Compiler;
  readonly target: Target;
}

/** Kernels by name, compiled and loaded when they are first used. */
export class KernelCache {
  readonly #options: KernelCacheOptions;
  /** What kernels are loaded as. PTX from the first time that the driver takes no machine code. */
  #target: Target;
  readonly #kernels = new Map<string, LoadedKernel>();
  /** Several kernels of one source share a module. */
  readonly #modules = new Map<string, number>();

  constructor(options: KernelCacheOptions) {
    this.#options = options;
    this.#target = options.target;
  }

  /** What compiles them. */
  get compiler(): Compiler {
    return this.#options.compiler;
  }

  /** Number of loaded kernels. */
  get size(): number {
    return this.#kernels.size;
  }

  /** What kernels are compiled to. */
  get target(): Target {
    return this.#target;
  }

  /**
   * The loaded kernel of a program.
   *
   * @throws BasicError `E_KERNEL_FAILED` where it does not compile, or is another program under a known name.
   */
  get(program: KernelProgram): LoadedKernel {
    const known = this.#kernels.get(program.name);
    if (known === undefined) return this.#load(program);
    if (!sameProgram(known.program, program)) {
      throw new BasicError(
        "E_KERNEL_DUPLICATE",
        `Two different CUDA programs are called "${program.name}". Give each variant of a kernel its own name.`,
      );
    }
    return known;
  }

  /**
   * Lets a kernel use so much dynamic shared memory.
   *
   * @throws BasicError `E_KERNEL_FAILED` where the device has less.
   */
  allowShared(kernel: LoadedKernel, bytes: number): void {
    if (bytes <= kernel.allowedSharedBytes) return;
    const { session } = this.#options;
    const needed = bytes + kernel.staticSharedBytes;
    if (needed > session.device.sharedBytes) {
      throw new BasicError(
        "E_KERNEL_FAILED",
        `The kernel "${kernel.program.name}" needs ${needed} bytes of shared memory a block, but "${session.device.name}" has ` +
          `${session.device.sharedBytes}. Use smaller heads or rows, or a newer GPU.`,
      );
    }
    const which = CUDA.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    session.call("cuFuncSetAttribute", kernel.handle, which, bytes);
    kernel.allowedSharedBytes = bytes;
  }

  /** Unloads everything. */
  dispose(): void {
    for (const module of this.#modules.values()) this.#options.session.driver.api.cuModuleUnload(module);
    this.#modules.clear();
    this.#kernels.clear();
  }

  #load(program: KernelProgram): LoadedKernel {
    const { session } = this.#options;
    session.check();
    const handle = this.#functionOf(program);
    const [x, y = 1, z = 1] = typeof program.block === "number" ? [program.block] : program.block;
    const names = Object.keys(program.params);
    const memory = allocateNative(Math.max(16 * names.length, 16));
    const pointers = new BigUint64Array(memory.buffer, 0, names.length);
    const values = memory.address + 8 * names.length;
    for (let i = 0; i < names.length; i++) pointers[i] = BigInt(values + 8 * i);
    const shared = session.driver.integerFrom(
      "cuFuncGetAttribute",
      CUDA.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES,
      handle,
    );
    const kernel: LoadedKernel = {
      program,
      handle,
      block: [x, y, z],
      names,
      types: Object.values(program.params),
      parameters: memory.address,
      words: new Uint32Array(memory.buffer, 8 * names.length),
      floats: new Float32Array(memory.buffer, 8 * names.length),
      staticSharedBytes: shared,
      allowedSharedBytes: Math.max(0, PLAIN_SHARED_BYTES - shared),
    };
    this.#kernels.set(program.name, kernel);
    return kernel;
  }

  #functionOf(program: KernelProgram): number {
    const { session } = this.#options;
    const module = this.#moduleOf(program);
    try {
      return session.driver.handleFrom("cuModuleGetFunction", module, program.entry);
    } catch (error) {
      if (!(error instanceof DriverError) || error.errorName !== "CUDA_ERROR_NOT_FOUND")
        throw this.#explained(error);
      throw new BasicError(
        "E_KERNEL_FAILED",
        `The CUDA program "${program.name}" has no function "${program.entry}". Declare it in its source as ` +
          'extern "C" __global__.',
      );
    }
  }

  /** The module of a program's source; machine code that the driver does not take is replaced by PTX. */
  #moduleOf(program: KernelProgram): number {
    const { session, compiler } = this.#options;
    const image = compiler.image(program, this.#target);
    const known = this.#modules.get(image.key);
    if (known !== undefined) return known;
    try {
      const module = session.driver.handleFrom("cuModuleLoadDataEx", terminated(image), 0, null, null);
      this.#modules.set(image.key, module);
      return module;
    } catch (error) {
      if (!(error instanceof DriverError)) throw error;
      compiler.cache.remove(image.key);
      const ptx = this.#ptxInstead(error);
      if (ptx === undefined) throw this.#refused(program, image, error);
      this.#target = ptx;
      return this.#moduleOf(program);
    }
  }

  #ptxInstead({ code }: DriverError): Target | undefined {
    const { session, compiler } = this.#options;
    if (this.#target.kind === "ptx" || code !== CUDA.CUDA_ERROR_NO_BINARY_FOR_GPU) return undefined;
    return targetFor(session.device.architecture, compiler.nvrtc.architectures, "ptx");
  }

  #refused(program: KernelProgram, { target }: Image, error: DriverError): BasicError {
    const { session, compiler } = this.#options;
    const driver = cudaVersion(session.driver.version());
    const nvrtc = cudaVersion(compiler.nvrtc.version);
    if (error.code === CUDA.CUDA_ERROR_UNSUPPORTED_PTX_VERSION) {
      return new BasicError(
        "E_BACKEND_START",
        `The NVIDIA driver is too old for the compiler: it knows CUDA ${driver}, and the PTX is from NVRTC ${nvrtc} ` +
          `(${compiler.nvrtc.path}). Update the driver, or install an NVRTC of CUDA ${driver} or older: ` +
          `pip install nvidia-cuda-nvrtc-cu12.`,
      );
    }
    if (error.code === CUDA.CUDA_ERROR_OUT_OF_MEMORY) return session.explain(error.call, error.code);
    return new BasicError(
      "E_KERNEL_FAILED",
      `The CUDA driver (CUDA ${driver}) does not load the kernel "${program.name}", compiled by NVRTC ${nvrtc} for ` +
        `${target.architecture} as ${target.kind}: ${error.errorName}. Report this with the output of \`basic-mllm doctor\`.`,
    );
  }

  #explained(error: unknown): unknown {
    return error instanceof DriverError ? this.#options.session.explain(error.call, error.code) : error;
  }
}

/** PTX is a text for the driver. */
function terminated({ target, bytes }: Image): Uint8Array {
  return target.kind === "ptx" && bytes.at(-1) !== 0 ? Buffer.concat([bytes, Buffer.of(0)]) : bytes;
}

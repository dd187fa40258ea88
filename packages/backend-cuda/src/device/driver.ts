import { type Foreign, type ForeignArgument, loadLibrary, textAt } from "../foreign/library.js";
import { CUDA } from "./constants.js";
import { DRIVER_PROTOTYPES, type DriverFunction } from "./prototypes.js";

/** A call of the driver that failed. */
export class DriverError extends Error {
  readonly call: DriverFunction;
  readonly code: number;
  /** `CUDA_ERROR_OUT_OF_MEMORY`. */
  readonly errorName: string;

  constructor(call: DriverFunction, code: number, errorName: string) {
    super(`${call}: ${errorName}`);
    this.name = "DriverError";
    this.call = call;
    this.code = code;
    this.errorName = errorName;
  }
}

/** What we ask of a device before we use it. */
export interface DeviceProperties {
  /** Handle of the driver. */
  readonly handle: number;
  readonly index: number;
  readonly name: string;
  readonly totalBytes: number;
  /** Compute capability times ten: 90 for sm_90. */
  readonly architecture: number;
  readonly multiprocessors: number;
  /** Bytes of shared memory that a block may ask for. */
  readonly sharedBytes: number;
  readonly hasMemoryPools: boolean;
}

/** libcuda: checked calls, and the questions that need several. Calls go to the context that is current on this thread. */
export class Driver {
  readonly api: Foreign<DriverFunction>;
  readonly path: string;
  // One of each is enough: values are read before the next call.
  readonly #words = new BigUint64Array(2);
  readonly #integer = new Int32Array(1);

  /**
   * @param api - Functions to call instead of the library's.
   * @throws Error where the library is missing, or lacks a function.
   */
  constructor(path: string, api = loadLibrary(path, DRIVER_PROTOTYPES)) {
    this.path = path;
    this.api = api;
  }

  /** @throws DriverError for any answer but success. */
  call(name: DriverFunction, ...args: readonly ForeignArgument[]): void {
    const code = this.api[name](...args);
    if (code !== CUDA.CUDA_SUCCESS) throw new DriverError(name, code, this.nameOf(code));
  }

  /** Calls a function whose first parameter is where it writes a handle or an address. */
  handleFrom(name: DriverFunction, ...args: readonly ForeignArgument[]): number {
    this.call(name, this.#words, ...args);
    return Number(this.#words[0]);
  }

  /** Calls a function whose first parameter is where it writes an int. */
  integerFrom(name: DriverFunction, ...args: readonly ForeignArgument[]): number {
    this.call(name, this.#integer, ...args);
    return this.#integer[0] ?? 0;
  }

  /** `CUDA_ERROR_OUT_OF_MEMORY` for 2. */
  nameOf(code: number): string {
    const pointer = new BigUint64Array(1);
    const known = this.api.cuGetErrorName(code, pointer) === CUDA.CUDA_SUCCESS;
    const address = pointer[0] ?? 0n;
    return known && address !== 0n ? textAt(address) : `CUDA error ${code}`;
  }

  /** Newest CUDA that the driver knows: 12090 for 12.9. */
  version(): number {
    return this.integerFrom("cuDriverGetVersion");
  }

  /** Free and all memory of the current context's device, in bytes. */
  memory(): { readonly free: number; readonly total: number } {
    this.call("cuMemGetInfo", this.#words.subarray(0, 1), this.#words.subarray(1, 2));
    return { free: Number(this.#words[0]), total: Number(this.#words[1]) };
  }

  /** The properties of device `index`. */
  device(index: number): DeviceProperties {
    const handle = this.integerFrom("cuDeviceGet", index);
    const name = new Uint8Array(256);
    this.call("cuDeviceGetName", name, name.length, handle);
    const attribute = (which: number) => this.integerFrom("cuDeviceGetAttribute", which, handle);
    const major = attribute(CUDA.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
    const minor = attribute(CUDA.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    return {
      handle,
      index,
      name: new TextDecoder().decode(name.subarray(0, name.indexOf(0))),
      totalBytes: this.handleFrom("cuDeviceTotalMem", handle),
      architecture: major * 10 + minor,
      multiprocessors: attribute(CUDA.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
      sharedBytes: attribute(CUDA.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
      hasMemoryPools: attribute(CUDA.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) === 1,
    };
  }
}

/** `12.9` for 12090. */
export function cudaVersion(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

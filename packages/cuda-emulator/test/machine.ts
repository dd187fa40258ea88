import koffi from "koffi";

import { buildFakeLibraries, FakeDriver } from "../src/index.js";

/** Names that cuda.h gives other symbols. */
const PROTOTYPES = {
  init: "int cuInit(unsigned int flags)",
  retain: "int cuDevicePrimaryCtxRetain(_Out_ uint64_t *context, int device)",
  release: "int cuDevicePrimaryCtxRelease_v2(int device)",
  setCurrent: "int cuCtxSetCurrent(uint64_t context)",
  synchronize: "int cuCtxSynchronize()",
  deviceCount: "int cuDeviceGetCount(_Out_ int *count)",
  device: "int cuDeviceGet(_Out_ int *device, int ordinal)",
  driverVersion: "int cuDriverGetVersion(_Out_ int *version)",
  memoryInfo: "int cuMemGetInfo_v2(_Out_ size_t *free, _Out_ size_t *total)",
  allocate: "int cuMemAlloc_v2(_Out_ uint64_t *address, size_t bytes)",
  free: "int cuMemFree_v2(uint64_t address)",
  allocateAsync: "int cuMemAllocAsync(_Out_ uint64_t *address, size_t bytes, uint64_t stream)",
  freeAsync: "int cuMemFreeAsync(uint64_t address, uint64_t stream)",
  allocateHost: "int cuMemHostAlloc(_Out_ uint64_t *memory, size_t bytes, unsigned int flags)",
  freeHost: "int cuMemFreeHost(uint64_t memory)",
  upload: "int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes)",
  download: "int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes)",
  uploadAsync: "int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, uint64_t stream)",
  uploadPinned: "int cuMemcpyHtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, uint64_t stream)",
  downloadPinned: "int cuMemcpyDtoHAsync_v2(uint64_t to, uint64_t from, size_t bytes, uint64_t stream)",
  fill: "int cuMemsetD32Async(uint64_t to, unsigned int value, size_t count, uint64_t stream)",
  createStream: "int cuStreamCreate(_Out_ uint64_t *stream, unsigned int flags)",
  destroyStream: "int cuStreamDestroy_v2(uint64_t stream)",
  synchronizeStream: "int cuStreamSynchronize(uint64_t stream)",
  waitEvent: "int cuStreamWaitEvent(uint64_t stream, uint64_t event, unsigned int flags)",
  createEvent: "int cuEventCreate(_Out_ uint64_t *event, unsigned int flags)",
  record: "int cuEventRecord(uint64_t event, uint64_t stream)",
  query: "int cuEventQuery(uint64_t event)",
  synchronizeEvent: "int cuEventSynchronize(uint64_t event)",
  destroyEvent: "int cuEventDestroy_v2(uint64_t event)",
  load: "int cuModuleLoadData(_Out_ uint64_t *module, const void *image)",
  loadWithLog:
    "int cuModuleLoadDataEx(_Out_ uint64_t *module, const void *image, unsigned int count, void *options, void *values)",
  unload: "int cuModuleUnload(uint64_t module)",
  getFunction: "int cuModuleGetFunction(_Out_ uint64_t *function, uint64_t module, const char *name)",
  getAttribute: "int cuFuncGetAttribute(_Out_ int *value, int attribute, uint64_t function)",
  setAttribute: "int cuFuncSetAttribute(uint64_t function, int attribute, int value)",
  launch:
    "int cuLaunchKernel(uint64_t f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by, unsigned int bz, unsigned int shared, uint64_t stream, void *parameters, void *extra)",
} as const;

type Api = Readonly<Record<keyof typeof PROTOTYPES, (...args: unknown[]) => number>>;

/** A value that a kernel gets: an address or a 64-bit integer, a 32-bit integer, a float. */
export type Argument = bigint | number | { readonly float: number };

/** How a kernel starts. */
export interface Start {
  readonly grid?: readonly number[];
  readonly block?: readonly number[];
  readonly shared?: number;
  readonly stream?: bigint;
}

/** The emulated driver, called as the real one is. Every call but those of `api` must succeed. */
export class Machine {
  readonly api: Api;
  readonly fake: FakeDriver;
  readonly #call: (name: keyof Api, ...args: unknown[]) => void;

  constructor(path: string) {
    const library = koffi.load(path);
    this.api = Object.fromEntries(
      Object.entries(PROTOTYPES).map(([name, prototype]) => [name, library.func(prototype)]),
    ) as unknown as Api;
    this.fake = new FakeDriver(path);
    this.#call = (name, ...args) => {
      const code = this.api[name](...args);
      if (code !== 0) throw new Error(`${name}: ${code} ${this.fake.lastFault()}`);
    };
  }

  /** A driver as at the start of a process, with a current context. */
  static async start(): Promise<Machine> {
    const machine = new Machine((await buildFakeLibraries()).cuda);
    machine.fake.reset();
    machine.#call("init", 0);
    machine.#call("setCurrent", machine.handle("retain", 0));
    return machine;
  }

  /** What a function writes through its first parameter. */
  handle(name: keyof Api, ...args: unknown[]): bigint {
    const out = new BigUint64Array(1);
    this.#call(name, out, ...args);
    return out[0] ?? 0n;
  }

  /** Device memory with the bytes of an array. */
  put(data: ArrayBufferView): bigint {
    const address = this.handle("allocate", data.byteLength);
    this.#call("upload", address, data, data.byteLength);
    return address;
  }

  /** Fills an array from device memory. */
  get<T extends ArrayBufferView>(address: bigint, into: T): T {
    this.#call("download", into, address, into.byteLength);
    return into;
  }

  /** Kernels of a PTX text, by name. */
  kernel(ptx: string, name: string): bigint {
    return this.handle("getFunction", this.handle("load", Buffer.from(`${ptx}\0`)), name);
  }

  /** Enqueues a kernel. @returns the driver's answer. */
  launch(
    kernel: bigint,
    args: readonly Argument[],
    { grid = [1], block = [32], shared = 0, stream = 0n }: Start = {},
  ): number {
    const values = Buffer.alloc(args.length * 8 + 8);
    const pointers = new BigUint64Array(args.length + 1);
    const base = koffi.address(values);
    args.forEach((each, index) => {
      if (typeof each === "bigint") values.writeBigUInt64LE(BigInt.asUintN(64, each), index * 8);
      else if (typeof each === "number") values.writeInt32LE(each, index * 8);
      else values.writeFloatLE(each.float, index * 8);
      pointers[index] = BigInt(base) + BigInt(index * 8);
    });
    const [gx = 1, gy = 1, gz = 1] = grid;
    const [bx = 1, by = 1, bz = 1] = block;
    return this.api.launch(kernel, gx, gy, gz, bx, by, bz, shared, stream, pointers, null);
  }

  /** Runs a kernel to its end. @throws Error with the fault's text. */
  run(kernel: bigint, args: readonly Argument[], start: Start = {}): void {
    const code = this.launch(kernel, args, start) || this.api.synchronize();
    if (code !== 0) throw new Error(`${code} ${this.fake.lastFault()}`);
  }

  /** Ends the context, with all that lives in it. */
  close(): void {
    this.api.release(0);
    this.fake.reset();
  }
}

/** A PTX text around routines and variables. */
export function module(...parts: readonly string[]): string {
  return [".version 8.0", ".target sm_80", ".address_size 64", ...parts, ""].join("\n");
}

/** An entry with pointer parameters `p0`, `p1`, ..., which the registers `%a0`, `%a1`, ... hold. */
export function entry(name: string, pointers: number, body: string): string {
  const indices = Array.from({ length: pointers }, (_, index) => index);
  const parameters = indices.map((index) => `.param .u64 ${name}_p${index}`).join(", ");
  const loads = indices.map((index) => `ld.param.u64 %a${index}, [${name}_p${index}];`).join("\n");
  return `.visible .entry ${name}(${parameters}) {\n.reg .b64 %a<${pointers + 1}>;\n${loads}\n${body}\nret;\n}`;
}

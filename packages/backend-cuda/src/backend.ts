import { BasicError, type Precision } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { type Arguments, type Part, type Pointer, packArguments } from "./arguments.js";
import type { Compiler } from "./compile/compiler.js";
import { KernelCache } from "./compile/kernel-cache.js";
import type { Target } from "./compile/target.js";
import { BlasLt } from "./cublaslt/blas-lt.js";
import { launchKernel } from "./device/launch.js";
import { type PinnedBlock, PinnedMemory } from "./device/pinned.js";
import type { Session } from "./device/session.js";
import { eventDone } from "./device/wait.js";
import { convert } from "./kernels/convert/convert.js";
import { CachingAllocator } from "./memory/allocator.js";
import { deviceMemory, outOfDeviceMemory } from "./memory/device-memory.js";
import { HostData } from "./memory/host-data.js";
import { imaginaryMemory } from "./memory/imaginary-memory.js";
import {
  asElements,
  asValues,
  bf16Bits,
  checkStorage,
  DataKey,
  ELEMENT_BYTES,
  type ElementStorage,
  storageOf,
} from "./memory/storage.js";
import { type TensorData, TensorStore } from "./memory/tensor-store.js";
import type { Parameters, Program } from "./program.js";
import { variantFor } from "./variant.js";
import { bytesOf, countOf, type RehearsedWork } from "./work.js";

/** Name of this backend in tfjs. */
export const BACKEND_NAME = "basiccuda";

type DataId = tf.TensorInfo["dataId"];
type Values = tf.backend_util.BackendValues;

/** One launch of a program. */
export interface Dispatch<Params extends Parameters> {
  /** Blocks along x, y, z. None along one of them: nothing runs. */
  readonly grid: readonly [number, number?, number?];
  readonly args: Arguments<Params>;
  /** Bytes of dynamic shared memory. Default: the program's. */
  readonly sharedBytes?: number;
}

/** What a backend is made of. */
export interface BackendParts {
  readonly session: Session;
  /** What makes kernels. Absent: the device is imagined, so that everything is a rehearsal. */
  readonly compilation?: { readonly compiler: Compiler; readonly target: Target };
  /** Opens cuBLASLt when the first product needs it. */
  readonly openBlas: (backend: CudaBackend) => BlasLt;
  /** Bytes of device memory that are never exceeded. */
  readonly memoryLimit?: number | undefined;
  /** Memory without rounding and reuse, for tools that watch it. */
  readonly exactMemory?: boolean | undefined;
  /** How products treat their operands, and with `bf16` how activations are kept. Default `f32`. */
  readonly precision?: Precision | undefined;
}

/** tfjs's backend on an NVIDIA GPU: everything goes through one stream, in the order of the calls. */
export class CudaBackend extends tf.KernelBackend {
  /** @internal */
  readonly session: Session;
  /** How products treat their operands, and with `bf16` how activations are kept; sums, losses and weights are float32. */
  readonly precision: Precision;
  readonly #kernels: KernelCache | undefined;
  /** @internal */
  readonly allocator: CachingAllocator;
  readonly #pinned: PinnedMemory;
  readonly #hostData: HostData;
  readonly #tensors = new TensorStore();
  readonly #openBlas: () => BlasLt;
  #blas: BlasLt | undefined;
  #blockingReads = 0;
  #rehearsal: CachingAllocator | undefined;
  readonly #address = (pointer: Pointer) => this.addressOf(pointer);

  /** @internal */
  constructor({ session, compilation, openBlas, ...options }: BackendParts) {
    super();
    const { memoryLimit: limit, exactMemory: exact, precision = "f32" } = options;
    this.session = session;
    this.precision = precision;
    this.#kernels = compilation && new KernelCache({ session, ...compilation });
    const explain = outOfDeviceMemory(session, limit);
    const memory = compilation === undefined ? imaginaryMemory() : deviceMemory(session);
    this.allocator = new CachingAllocator({ memory, limit, exact, explain });
    this.#pinned = new PinnedMemory(session);
    this.#hostData = new HostData({
      allocator: this.allocator,
      upload: (address, bytes) => this.#pinned.upload(address, bytes),
    });
    this.#openBlas = () => openBlas(this);
  }

  /** Whether the device is imagined: everything is a rehearsal. */
  get imagined(): boolean {
    return this.#kernels === undefined;
  }

  /**
   * Kernels on this device.
   *
   * @internal
   */
  get kernels(): KernelCache {
    if (this.#kernels !== undefined) return this.#kernels;
    throw new BasicError("E_KERNEL_FAILED", "An imagined GPU has no kernels: start the backend on a device.");
  }

  /**
   * cuBLASLt on this device.
   *
   * @internal
   */
  get blas(): BlasLt {
    this.#blas ??= this.#openBlas();
    return this.#blas;
  }

  /** Synchronous reads so far: each of them waits for the device and holds up the process. */
  get blockingReads(): number {
    return this.#blockingReads;
  }

  /** Host arrays whose copies on the device are kept: at most 1024. */
  get hostArrays(): number {
    return this.#hostData.size;
  }

  /** Runs a program. Nothing waits for it. */
  dispatch<Params extends Parameters>(
    program: Program<Params>,
    { grid: [x, y = 1, z = 1], args, sharedBytes = program.sharedBytes ?? 0 }: Dispatch<Params>,
  ): void {
    this.session.check();
    if (x * y * z === 0) return;
    const variant = variantFor(program, args);
    if (this.rehearsing) {
      this.rehearsed(() => ({ name: variant.name, kind: "kernel", ...program.work(args, [x, y, z]) }));
      return;
    }
    const kernel = this.kernels.get(variant);
    packArguments(kernel, args as Readonly<Record<string, Pointer | number>>, this.#address);
    if (sharedBytes > kernel.allowedSharedBytes) this.kernels.allowShared(kernel, sharedBytes);
    launchKernel(this.session, kernel, [x, y, z], sharedBytes);
    this.#hostData.trim();
  }

  /** Address of a tensor's, a part's or a host array's elements on the device. */
  addressOf(pointer: Pointer): number {
    if (pointer === null) return 0;
    if (ArrayBuffer.isView(pointer)) return pointer.length === 0 ? 0 : this.#hostData.addressOf(pointer);
    if ("tensor" in pointer) {
      const bytes = ELEMENT_BYTES[storageOf(pointer)];
      return this.#tensors.blockOf(pointer.tensor.dataId).address + bytes * pointer.offset;
    }
    return this.#tensors.blockOf(pointer.dataId).address;
  }

  /** Addresses of tensors, as an array that a kernel can be given: one launch for many of them. */
  addressesOf(pointers: readonly Pointer[]): BigUint64Array {
    return BigUint64Array.from(pointers, (pointer) => BigInt(this.addressOf(pointer)));
  }

  /** A new tensor with arbitrary content. Floats may be kept in bfloat16: whoever reads them gets float32. */
  allocate(
    shape: readonly number[],
    dtype: tf.DataType = "float32",
    storage: ElementStorage = "f32",
  ): tf.TensorInfo {
    checkStorage(dtype, storage);
    const dataId = new DataKey(storage);
    const elements = tf.util.sizeFromShape([...shape]);
    this.#tensors.create(dataId, { dtype, storage, elements, refs: 1 }, this.#memory);
    return { dataId, shape: [...shape], dtype };
  }

  /** Whether another tensor has the same memory. */
  isShared({ dataId }: tf.TensorInfo): boolean {
    return this.refCount(dataId) > 1;
  }

  /** The same data under another shape; adds a reference. */
  alias(tensor: tf.TensorInfo, shape: readonly number[] = tensor.shape): tf.TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
  }

  /** Copies the elements of a tensor into one of the same size, which may keep them in another way. */
  copy(source: tf.TensorInfo | Part, target: tf.TensorInfo | Part): void {
    const bytes = bytesOf(source);
    if (bytes === 0) return;
    if (storageOf(source) !== storageOf(target)) {
      convert(this, source, target);
      return;
    }
    if (this.rehearsing) {
      this.rehearsed(() => ({ name: "copy", kind: "memory", bytes: 2 * bytes, flops: 0 }));
      return;
    }
    const { session } = this;
    session.call("cuMemcpyDtoDAsync", this.addressOf(target), this.addressOf(source), bytes, session.stream);
  }

  /** Sets every element to the same 32 bits: 0, or those of a float. */
  fill(target: tf.TensorInfo | Part, word: number): void {
    const elements = countOf(target);
    if (elements === 0) return;
    if (this.rehearsing) {
      this.rehearsed(() => ({ name: "fill", kind: "memory", bytes: bytesOf(target), flops: 0 }));
      return;
    }
    const { session } = this;
    const [address, { stream }] = [this.addressOf(target), session];
    if (storageOf(target) === "f32") session.call("cuMemsetD32Async", address, word >>> 0, elements, stream);
    else session.call("cuMemsetD16Async", address, bf16Bits(word), elements, stream);
  }

  /** Uploads at once: the caller may go on using its array. */
  override write(values: Values, shape: number[], dtype: tf.DataType): DataId {
    const dataId = new DataKey("f32");
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  /** Takes values over from another backend, or from the host. Data that comes back is kept as it was before. */
  override move(dataId: DataId, values: Values, shape: number[], dtype: tf.DataType, refs: number): void {
    const elements = tf.util.sizeFromShape(shape);
    if (dtype === "complex64") throw complexValues();
    const texts = dtype === "string" ? { texts: values } : {};
    const storage = storageOf({ dataId, shape, dtype });
    const { block } = this.#tensors.create(
      dataId,
      { dtype, storage, elements, refs, ...texts },
      this.#memory,
    );
    if (block === undefined || values === null || elements === 0 || this.rehearsing) return;
    const kept = asElements(values as Float32Array, { storage, dtype });
    this.#pinned.upload(block.address, new Uint8Array(kept.buffer, kept.byteOffset, kept.byteLength));
  }

  /** Waits for the device: counted in {@link blockingReads}. Training reads with `await tensor.data()`. */
  override readSync(dataId: DataId): Values {
    const data = this.#tensors.get(dataId);
    const known = this.#known(data);
    if (known !== undefined) return known;
    this.#blockingReads++;
    const pinned = this.#download(data);
    this.session.synchronize();
    return this.#taken(pinned, data);
  }

  /**
   * A copy of the values, as they are after everything that was enqueued before. The process goes on meanwhile.
   *
   * @throws BasicError what a kernel before it did wrong.
   */
  override async read(dataId: DataId): Promise<Values> {
    const data = this.#tensors.get(dataId);
    const known = this.#known(data);
    if (known !== undefined) return known;
    const pinned = this.#download(data);
    await eventDone(this.session);
    // stop() may have come before this went on, and freed the pinned memory.
    this.session.check();
    return this.#taken(pinned, data);
  }

  /** Values that need no copy. */
  #known({ dtype, elements, block, texts }: TensorData): Values | undefined {
    if (block === undefined) return texts as Values;
    if (elements > 0 && !this.rehearsing) return undefined;
    return tf.util.getTypedArrayFromDType(dtype as "float32", elements);
  }

  /** Enqueues a copy into pinned memory. */
  #download({ block, storage, elements }: TensorData): PinnedBlock {
    const { session } = this;
    const bytes = ELEMENT_BYTES[storage] * elements;
    const pinned = this.#pinned.acquire(bytes);
    session.call("cuMemcpyDtoHAsync", pinned.address, block?.address ?? 0, bytes, session.stream);
    return pinned;
  }

  /** The elements that were copied into a pinned block, which goes back. */
  #taken(pinned: PinnedBlock, data: TensorData): Values {
    const copy = pinned.bytes.slice(0, ELEMENT_BYTES[data.storage] * data.elements).buffer;
    this.#pinned.release(pinned);
    return asValues(copy, data);
  }

  /** How many tensors have this data; 0 for data that is not here. */
  override refCount(dataId: DataId): number {
    return this.#tensors.refCount(dataId);
  }

  /** Counts another tensor with this data. */
  override incRef(dataId: DataId): void {
    this.#tensors.get(dataId).refs++;
  }

  /** tfjs's own bookkeeping calls it for tensors that share data. */
  decRef(dataId: DataId): void {
    if (this.#tensors.refCount(dataId) > 0) this.#tensors.get(dataId).refs--;
  }

  /** Gives the memory back once no tensor has the data, or at once with `force`. Says whether it did. */
  override disposeData(dataId: DataId, force = false): boolean {
    return this.#tensors.dispose(dataId, force);
  }

  /** Number of data on the device. */
  override numDataIds(): number {
    return this.#tensors.size;
  }

  /** tfjs counts tensors exactly. */
  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  /** Bytes of device memory that this backend holds, and that the device has. */
  deviceMemory(): { readonly usedBytes: number; readonly totalBytes: number } {
    const { reservedBytes: usedBytes } = this.allocator.statistics;
    return { usedBytes, totalBytes: this.session.device.totalBytes };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  /** Whether `time` works: always. */
  override timerAvailable(): boolean {
    return true;
  }

  /** Wall time of the commands of `body` on the device, together with those that wait before them. */
  override async time(body: () => void): Promise<{ kernelMs: number }> {
    this.session.synchronize();
    const from = performance.now();
    body();
    this.session.synchronize();
    return { kernelMs: performance.now() - from };
  }

  /** Whether nothing is computed: memory is only counted. */
  get rehearsing(): boolean {
    return this.#rehearsal !== undefined || this.imagined;
  }

  /** Called for everything that a rehearsal would have enqueued. */
  watchRehearsal: ((work: RehearsedWork) => void) | undefined;

  /**
   * Tells the watcher, if there is one, what would have been enqueued.
   *
   * @internal
   */
  rehearsed(describe: () => RehearsedWork): void {
    this.watchRehearsal?.(describe());
  }

  get #memory(): CachingAllocator {
    return this.#rehearsal ?? this.allocator;
  }

  /**
   * Runs `body` without computing anything: tensors take memory that is not there, starting from the blocks that are free
   * now. Values of tensors are 0 when they are read; what is made inside must be disposed inside.
   *
   * @param body - Gets a function that gives the bytes by which the reserved memory would have grown so far.
   * @returns Those bytes at the end.
   * @throws BasicError `E_CONFIG` when tensors are left, which would go on without values.
   */
  async rehearse(body: (grown: () => number) => Promise<void>): Promise<number> {
    const before = this.#tensors.size;
    const rehearsal = this.allocator.twin(imaginaryMemory());
    const { reservedBytes } = rehearsal.statistics;
    const grown = () => rehearsal.statistics.peakReservedBytes - reservedBytes;
    // Products need their workspace from the first one on.
    if (this.#blas?.hasWorkspace !== true) rehearsal.allocate(BlasLt.workspaceBytes);
    this.#rehearsal = rehearsal;
    try {
      await body(grown);
    } finally {
      this.#rehearsal = undefined;
    }
    const left = this.#tensors.size - before;
    if (left > 0) throw leftTensors(left);
    return grown();
  }

  /** Gives the device back, with all tensors on it. */
  override dispose(): void {
    if (this.session.failure === undefined) {
      this.session.driver.api.cuStreamSynchronize(this.session.stream);
      this.#blas?.dispose();
      this.#hostData.clear();
      this.allocator.dispose();
      this.#pinned.dispose();
      this.#kernels?.dispose();
    }
    this.#tensors.clear();
    this.session.close();
  }
}

function leftTensors(count: number): BasicError {
  return new BasicError(
    "E_CONFIG",
    `rehearse: ${count} tensors were made and not disposed. They have no values: dispose what the body makes.`,
  );
}

function complexValues(): BasicError {
  return new BasicError(
    "E_KERNEL_MISSING",
    `The backend "${BACKEND_NAME}" has no complex numbers. Keep real and imaginary parts in two tensors, or use the backend "cpu".`,
  );
}

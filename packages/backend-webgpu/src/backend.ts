import { BasicError } from "@basic-mllm/core";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";

import { BufferPool } from "./device/buffer-pool.js";
import { deviceLost, Failure, mebibytes, refusedCommand } from "./device/failure.js";
import { HostData } from "./device/host-data.js";
import type { OpenedDevice } from "./device/open.js";
import { PipelineCache } from "./device/pipelines.js";
import { type Program, uniformBytes } from "./program.js";

/** Name of this backend in tfjs. Its own "webgpu" is the stock one. */
export const BACKEND_NAME = "basicwebgpu";

type DataId = Parameters<WebGPUBackend["uploadToGPU"]>[0];
type Values = tf.backend_util.BackendValues;

/** Part of a tensor's elements: `offset` must be on a multiple of 64, since bindings start at 256 bytes. */
export interface Part {
  readonly tensor: tf.TensorInfo;
  readonly offset: number;
  readonly length: number;
}

/** Values that stay on the host until a kernel binds them, such as offsets. */
export type HostArray = Int32Array | Uint32Array | Float32Array;

/** What a shader array can be bound to. */
export type Bindable = tf.TensorInfo | Part | HostArray;

/** One run of a program. */
export interface Dispatch<Read extends string, Write extends string, Uniform extends string> {
  readonly reads: Readonly<Record<Read, Bindable>>;
  readonly writes: Readonly<Record<Write, tf.TensorInfo | Part>>;
  readonly uniforms: Readonly<Record<Uniform, number>>;
  /** Workgroups along x, y, z. None along one of them: nothing runs. */
  readonly workgroups: readonly [number, number?, number?];
}

/** Fields of tfjs's backend that its types hide: our commands go into the same encoder, in the order of the calls. */
interface StockCommands {
  readonly commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  readonly commandQueueOwnedIds: WeakSet<DataId>;
  readonly uniformPendingDisposal: GPUBuffer[];
}

/** Dispatches between two submits. */
const BATCH = 32;

const STORAGE = 0x80 | 0x4 | 0x8; // STORAGE, COPY_SRC, COPY_DST
const UNIFORM = 0x40 | 0x8; // UNIFORM, COPY_DST
const READBACK = 0x1 | 0x8; // MAP_READ, COPY_DST

/** tfjs's WebGPU backend on a device of our own, with a bounded pool of buffers and kernels of several outputs. */
export class WebGpuBackend extends WebGPUBackend {
  /** What went wrong on the device, if anything. */
  readonly failure = new Failure();
  readonly pipelines: PipelineCache;
  readonly pool: BufferPool;
  readonly deviceName: string;
  #dispatches = 0;
  #closed = false;
  readonly #constants: HostData;
  readonly #uniforms: HostData;

  constructor({ device, info, name }: OpenedDevice, options: { readonly idleBytes?: number } = {}) {
    super(device, info);
    this.deviceName = name;
    this.pipelines = new PipelineCache(device, this.failure);
    this.pool = new BufferPool({ device, failure: this.failure, ...options });
    this.bufferManager = this.pool as unknown as WebGPUBackend["bufferManager"];
    this.#constants = this.#hostData(STORAGE);
    this.#uniforms = this.#hostData(UNIFORM);
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.failure.reportConsequence(refusedCommand((event as GPUUncapturedErrorEvent).error));
    });
    void device.lost.then((lost) => {
      if (!this.#closed) this.failure.report(deviceLost(name, lost));
    });
  }

  /** Dispatches of our own kernels so far. */
  get dispatches(): number {
    return this.#dispatches;
  }

  /** Buffers that are kept for values from the host, such as offsets and uniforms: at most 1024 of each. */
  get hostBuffers(): number {
    return this.#uniforms.size + this.#constants.size;
  }

  get #commands(): StockCommands {
    return this as unknown as StockCommands;
  }

  /** Kernels always run on the device: tfjs would compute small tensors in JavaScript. */
  override shouldExecuteOnCPU(): boolean {
    return false;
  }

  /** Uploads at once: the caller may go on using its array. */
  override write(values: Values, shape: number[], dtype: tf.DataType): DataId {
    const dataId = super.write(values, shape, dtype);
    this.#upload(dataId, values, dtype);
    return dataId;
  }

  /** Takes values over from another backend. */
  override move(dataId: DataId, values: Values, shape: number[], dtype: tf.DataType, refCount: number): void {
    super.move(dataId, values, shape, dtype, refCount);
    this.#upload(dataId, values, dtype);
  }

  /** Gives a tensor its buffer, with its values where it has some. */
  override uploadToGPU(dataId: DataId): void {
    const record = this.tensorMap.get(dataId);
    if (record.resource !== undefined && record.resource !== null) return;
    const bytes = bytesOf(record.shape);
    const buffer = this.pool.acquireBuffer(bytes, STORAGE);
    if (ArrayBuffer.isView(record.values) && bytes > 0) {
      this.#fill(buffer, asWords(record.values as Float32Array, record.dtype));
    }
    record.values = undefined as unknown as Values;
    record.resource = buffer;
  }

  #upload(dataId: DataId, values: Values | undefined | null, dtype: tf.DataType): void {
    if (values !== undefined && values !== null && isNumeric(dtype)) this.uploadToGPU(dataId);
  }

  /** @throws BasicError `E_SYNC_READ`, since WebGPU cannot. Texts and tensors without elements are on the host. */
  override readSync(dataId: DataId): Values {
    const { values, dtype, shape } = this.tensorMap.get(dataId);
    if (dtype === "string" && values !== undefined) return values;
    if (isNumeric(dtype) && bytesOf(shape) === 0) return tf.util.getTypedArrayFromDType(dtype, 0);
    throw new BasicError(
      "E_SYNC_READ",
      `A tensor of shape [${shape.join(", ")}] on the backend "${BACKEND_NAME}" was read synchronously (dataSync, ` +
        "arraySync, print, or a tfjs operation that does), which WebGPU does not offer. Use `await tensor.data()`, " +
        'after the step rather than in it, or the backend "cpu".',
    );
  }

  /**
   * A copy of the values. They are not kept, so that kernels may write in place.
   *
   * @throws BasicError what went wrong on the device since the last read: shader errors, no memory, a lost device.
   */
  override async read(dataId: DataId): Promise<Values> {
    this.failure.check();
    const record = this.tensorMap.get(dataId);
    const { dtype, shape, resource } = record;
    if (!isNumeric(dtype)) return super.read(dataId);
    const bytes = bytesOf(shape);
    if (bytes === 0) return tf.util.getTypedArrayFromDType(dtype, 0);
    if (!(resource instanceof GPUBuffer)) this.uploadToGPU(dataId);
    const buffer = await this.#readBuffer(record.resource as GPUBuffer, bytes);
    return tf.util.convertBackendValuesAndArrayBuffer(buffer, dtype);
  }

  async #readBuffer(source: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
    const staging = this.pool.acquireBuffer(bytes, READBACK);
    this.ensureCommandEncoderReady();
    this.endComputePassEncoder();
    this.#commands.commandEncoder?.copyBufferToBuffer(source, 0, staging, 0, bytes);
    this.submitQueue();
    try {
      await staging.mapAsync(0x1, 0, bytes);
      await this.failure.settle();
      return staging.getMappedRange(0, bytes).slice(0);
    } catch (error) {
      // The cause is reported apart and says more than the failed mapping. Nobody but a lost device ends one early.
      if (error instanceof Error && error.name === "AbortError") await this.device.lost;
      await this.failure.settle();
      throw error;
    } finally {
      if (staging.mapState === "mapped") staging.unmap();
      this.pool.releaseBuffer(staging);
    }
  }

  /** Ends the device. What is read later fails. */
  override dispose(): void {
    this.#closed = true;
    super.dispose();
    this.device.destroy();
  }

  /** A new float32 tensor with arbitrary content. */
  allocate(shape: readonly number[], dtype: "float32" | "int32" = "float32"): tf.TensorInfo {
    const info = this.makeTensorInfo([...shape], dtype);
    this.uploadToGPU(info.dataId);
    return info;
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

  /** Copies the elements of a tensor into one of the same size. */
  copy(source: tf.TensorInfo, target: tf.TensorInfo): void {
    const bytes = bytesOf(source.shape);
    if (bytes === 0) return;
    const [from, to] = [this.#bufferOf(source), this.#bufferOf(target)];
    this.ensureCommandEncoderReady();
    this.endComputePassEncoder();
    this.#own([source, target]);
    this.#commands.commandEncoder?.copyBufferToBuffer(from, 0, to, 0, bytes);
  }

  /**
   * Adds a run of a program to the commands. Nothing waits for it.
   *
   * @throws BasicError `E_DEVICE_MEMORY` where an array is larger than a binding may be; what went wrong before.
   */
  dispatch<Read extends string, Write extends string, Uniform extends string>(
    program: Program<Read, Write, Uniform>,
    { reads, writes, uniforms, workgroups: [x, y = 1, z = 1] }: Dispatch<Read, Write, Uniform>,
  ): void {
    this.failure.check();
    if (x * y * z === 0) return;
    const { pipeline, layout } = this.pipelines.get(program);
    const bound = [
      ...Object.keys(program.reads).map((name) => reads[name as Read]),
      ...Object.keys(program.writes).map((name) => writes[name as Write]),
    ];
    const resources = bound.map((value) => this.#binding(program.name, value));
    if (Object.keys(program.uniforms).length > 0) {
      resources.push({ buffer: this.#uniforms.get(uniformBytes(program.uniforms, uniforms)) });
    }
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const group = this.device.createBindGroup({ layout, entries });
    this.#own(bound.flatMap((value) => (ArrayBuffer.isView(value) ? [] : [tensorOf(value)])));
    this.#encode(pipeline, group, [x, y, z]);
  }

  #encode(
    pipeline: GPUComputePipeline,
    group: GPUBindGroup,
    [x, y, z]: readonly [number, number, number],
  ): void {
    const commands = this.#commands;
    this.ensureCommandEncoderReady();
    commands.computePassEncoder ??= commands.commandEncoder?.beginComputePass() ?? null;
    const pass = commands.computePassEncoder;
    pass?.setPipeline(pipeline);
    pass?.setBindGroup(0, group);
    pass?.dispatchWorkgroups(x, y, z);
    commands.dispatchCountInPass++;
    this.#dispatches++;
    if (commands.dispatchCountInPass < BATCH) return;
    this.endComputePassEncoder();
    this.submitQueue();
  }

  /** Keeps the memory of these tensors until the commands are submitted. */
  #own(tensors: readonly tf.TensorInfo[]): void {
    for (const { dataId } of tensors) this.#commands.commandQueueOwnedIds.add(dataId);
  }

  #binding(kernel: string, value: Bindable): GPUBufferBinding {
    if (ArrayBuffer.isView(value)) return { buffer: this.#constants.get(bytesOfArray(value)) };
    const buffer = this.#bufferOf(tensorOf(value));
    const part = "tensor" in value ? value : { offset: 0, length: tf.util.sizeFromShape(value.shape) };
    // A tensor without elements binds a few bytes that nobody looks at.
    const size = Math.max(16, part.length * 4);
    const { maxStorageBufferBindingSize: most } = this.device.limits;
    if (size > most) throw bindingTooLarge(kernel, size, most);
    return { buffer, offset: part.offset * 4, size };
  }

  #bufferOf({ dataId }: tf.TensorInfo): GPUBuffer {
    this.uploadToGPU(dataId);
    return this.tensorMap.get(dataId).resource as GPUBuffer;
  }

  /** Shared memory is allowed here; the types of WebGPU say otherwise. */
  #fill(buffer: GPUBuffer, values: ArrayBufferView): void {
    this.queue.writeBuffer(buffer, 0, values as ArrayBufferView<ArrayBuffer>);
  }

  #hostData(usage: GPUBufferUsageFlags): HostData {
    return new HostData({
      upload: (bytes) => {
        const buffer = this.pool.acquireBuffer(bytes.length, usage);
        this.#fill(buffer, bytes);
        return buffer;
      },
      release: (buffer) => this.#commands.uniformPendingDisposal.push(buffer),
    });
  }
}

function bindingTooLarge(kernel: string, needed: number, has: number): BasicError {
  return new BasicError(
    "E_DEVICE_MEMORY",
    `${kernel}: an array of ${mebibytes(needed)} does not fit in one binding: maxStorageBufferBindingSize of this ` +
      `WebGPU device is ${mebibytes(has)}. Lower \`rowBudget\` or \`batchSize\` and raise \`accumulate\` by as much; where the ` +
      "array is a weight, store it packed (bf16, q8_0) or take a smaller model.",
  );
}

function tensorOf(value: tf.TensorInfo | Part): tf.TensorInfo {
  return "tensor" in value ? value.tensor : value;
}

function isNumeric(dtype: tf.DataType): dtype is "float32" | "int32" | "bool" {
  return dtype === "float32" || dtype === "int32" || dtype === "bool";
}

function bytesOf(shape: readonly number[]): number {
  return 4 * shape.reduce((product, size) => product * size, 1);
}

function bytesOfArray({ buffer, byteOffset, byteLength }: HostArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Four bytes an element, whatever the array that tfjs hands over. */
function asWords(
  values: Float32Array | Int32Array | Uint8Array,
  dtype: tf.DataType,
): Float32Array | Int32Array {
  if (dtype === "float32") return values instanceof Float32Array ? values : Float32Array.from(values);
  return values instanceof Int32Array ? values : Int32Array.from(values);
}

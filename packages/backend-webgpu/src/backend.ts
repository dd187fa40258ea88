import { BasicError } from "@basic-mllm/core";
import { asWords } from "@basic-mllm/core/device";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";

import { BufferPool } from "./device/buffer-pool.js";
import { bindingTooLarge, deviceLost, Failure, refusedCommand } from "./device/failure.js";
import { HostData } from "./device/host-data.js";
import type { OpenedDevice } from "./device/open.js";
import { PipelineCache } from "./device/pipelines.js";
import { alreadyRehearsing, type Place, Rehearsal, type StockPipelines } from "./device/rehearsal.js";
import { type KernelTime, Timestamps } from "./device/timestamps.js";
import { bytesOf, bytesOfArray, isNumeric } from "./device/words.js";
import { type Bindable, type Dispatch, tensorOf } from "./dispatch.js";
import { type Program, uniformBytes } from "./program.js";
import type { StartOptions } from "./start.js";

/** Name of this backend in tfjs. Its own "webgpu" is the stock one. */
export const BACKEND_NAME = "basicwebgpu";

type DataId = tf.TensorInfo["dataId"];
type Values = tf.backend_util.BackendValues;

/** Fields of tfjs's backend that its types hide: our commands go into the same encoder, in the order of the calls. */
interface StockCommands {
  readonly commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  readonly commandQueueOwnedIds: WeakSet<DataId>;
  readonly uniformPendingDisposal: GPUBuffer[];
  pipelineCache: StockPipelines;
}

/** A call of tfjs's backend that runs one of its programs. */
type StockRun = Parameters<WebGPUBackend["runWebGPUProgram"]>;

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
  readonly #software: boolean;
  readonly #prepares: boolean;
  readonly #timestamps: Timestamps | undefined;
  /** The real device, or one on which nothing is computed. */
  #place: Place;

  constructor(
    { device, info, name }: OpenedDevice,
    { prepare, ...options }: Pick<StartOptions, "idleBytes" | "prepare" | "timestamps"> = {},
  ) {
    super(device, info);
    const { timestamps = false, ...pool } = options;
    this.deviceName = name;
    this.pipelines = new PipelineCache(device, this.failure);
    this.pool = new BufferPool({ device, failure: this.failure, ...pool });
    if (timestamps) this.#timestamps = new Timestamps(device);
    this.bufferManager = this.pool as unknown as WebGPUBackend["bufferManager"];
    // The types of WebGPU are older.
    this.#software = (info as { readonly isFallbackAdapter?: boolean }).isFallbackAdapter === true;
    this.#prepares = prepare ?? !this.#software;
    const [constants, uniforms] = [this.#hostData(STORAGE), this.#hostData(UNIFORM)];
    this.#place = { device, pool: this.pool, constants, uniforms, stock: this.#commands.pipelineCache };
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
    return this.#place.uniforms.size + this.#place.constants.size;
  }

  get #commands(): StockCommands {
    return this as unknown as StockCommands;
  }

  get #rehearsal(): Rehearsal | undefined {
    return this.#place instanceof Rehearsal ? this.#place : undefined;
  }

  /** Kernels always run on the device: tfjs would compute small tensors in JavaScript. */
  override shouldExecuteOnCPU(): boolean {
    return false;
  }

  /** Uploads at once: the caller may go on using its array. */
  override write(values: Values, shape: number[], dtype: tf.DataType): DataId {
    const dataId = super.write(values, shape, dtype);
    this.#rehearsal?.made.add(dataId);
    this.#upload(dataId, values, dtype);
    return dataId;
  }

  /** Takes values over from another backend. */
  override move(dataId: DataId, values: Values, shape: number[], dtype: tf.DataType, refCount: number): void {
    super.move(dataId, values, shape, dtype, refCount);
    this.#rehearsal?.made.add(dataId);
    this.#upload(dataId, values, dtype);
  }

  /** Gives the buffer back once no tensor has the data, or at once with `force`. Says whether it did. */
  override disposeData(dataId: DataId, force = false): boolean {
    const gone = super.disposeData(dataId, force);
    if (gone) this.#rehearsal?.made.delete(dataId);
    return gone;
  }

  /** Gives a tensor its buffer, with its values where it has some. */
  override uploadToGPU(dataId: DataId): void {
    const record = this.tensorMap.get(dataId);
    if (record.resource !== undefined && record.resource !== null) return;
    const bytes = bytesOf(record.shape);
    const buffer = this.#place.pool.acquireBuffer(bytes, STORAGE);
    this.#rehearsal?.lend(dataId, record.values);
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
    // A rehearsal may begin before the values are there.
    const { pool } = this.#place;
    const staging = pool.acquireBuffer(bytes, READBACK);
    this.ensureCommandEncoderReady();
    this.endComputePassEncoder();
    this.#commands.commandEncoder?.copyBufferToBuffer(source, 0, staging, 0, bytes);
    this.submitQueue();
    try {
      await staging.mapAsync(0x1, 0, bytes);
      await this.failure.settle();
      return staging.getMappedRange(0, bytes).slice(0);
    } catch (error) {
      return await this.#throwCause(error);
    } finally {
      if (staging.mapState === "mapped") staging.unmap();
      pool.releaseBuffer(staging);
    }
  }

  /**
   * Bytes of buffers on the adapter, which does not say how many it could have. Undefined on a software adapter: its buffers
   * lie in the process.
   */
  deviceMemory(): { readonly usedBytes: number } | undefined {
    return this.#software ? undefined : { usedBytes: this.pool.numBytesAllocated };
  }

  /**
   * Runs `body` without computing anything: tensors take buffers that are not there, starting from those that are free
   * now. Values of tensors are 0 when they are read; what is made inside must be disposed inside.
   *
   * @param body - Gets a function that gives the bytes by which the pool would have grown so far.
   * @returns Those bytes at the end.
   * @throws BasicError `E_CONFIG` when tensors are left, which would go on without values.
   */
  async rehearse(body: (grown: () => number) => Promise<void>): Promise<number> {
    const { rehearsal, end } = this.#beginRehearsal();
    const grown = () => rehearsal.pool.grown;
    try {
      await body(grown);
    } finally {
      end();
    }
    rehearsal.check();
    return grown();
  }

  /**
   * Compiles what `body` would run, kernels of our own and of tfjs, side by side and without holding up the caller. Does
   * nothing where the backend was started without: see {@link StartOptions.prepare}.
   *
   * @param body - Computes nothing, as in {@link rehearse}. It ends before anything else has its turn.
   * @param onCompile - Gets the number of kernels to compile; not called where all are there.
   * @throws BasicError `E_KERNEL_FAILED` for the first that does not compile; what `rehearse` throws.
   */
  async prepare(body: () => void, onCompile?: (kernels: number) => void): Promise<void> {
    if (!this.#prepares) return;
    const { rehearsal, end } = this.#beginRehearsal();
    try {
      body();
    } finally {
      end();
    }
    rehearsal.check();
    await rehearsal.compile(this.pipelines, this.#place.stock, onCompile);
  }

  #beginRehearsal(): { readonly rehearsal: Rehearsal; readonly end: () => void } {
    const real = this.#place;
    if (real instanceof Rehearsal) throw alreadyRehearsing();
    // Buffers that wait for commands to be submitted go back first.
    this.#goTo(real);
    const rehearsal = new Rehearsal(real, this.failure);
    this.#goTo(rehearsal);
    const end = () => {
      this.#goTo(real);
      rehearsal.restore(real.pool, this.tensorMap);
    };
    return { rehearsal, end };
  }

  /** Submits the commands so far; those that follow go to another place. */
  #goTo(place: Place): void {
    this.ensureCommandEncoderReady();
    this.endComputePassEncoder();
    this.submitQueue();
    this.#place = place;
    this.device = place.device;
    this.queue = place.device.queue;
    this.bufferManager = place.pool as unknown as WebGPUBackend["bufferManager"];
    this.#commands.pipelineCache = place.stock;
  }

  /** The cause of a failed mapping is reported apart and says more. Nobody but a lost device ends one early. */
  async #throwCause(error: unknown): Promise<never> {
    if (error instanceof Error && error.name === "AbortError") await this.device.lost;
    await this.failure.settle();
    throw error;
  }

  /** Ends the device. What is read later fails. */
  override dispose(): void {
    this.#closed = true;
    this.#timestamps?.dispose();
    super.dispose();
    this.device.destroy();
  }

  /**
   * Runs `body`, and gives the time that the device spent on each program of it, longest first, tfjs's among them. Each
   * program then has a pass of its own, so the whole takes longer.
   *
   * @throws BasicError `E_CONFIG` where the backend was not started with `timestamps`; what went wrong on the device.
   */
  async deviceTimes(body: () => unknown): Promise<readonly KernelTime[]> {
    const timestamps = this.#timestamps;
    if (timestamps === undefined) throw withoutTimestamps();
    timestamps.begin();
    try {
      await body();
      this.#collectTimes(timestamps);
      return await timestamps.end();
    } catch (error) {
      return await this.#throwCause(error);
    } finally {
      timestamps.recording = false;
    }
  }

  #collectTimes(timestamps: Timestamps): void {
    this.ensureCommandEncoderReady();
    this.endComputePassEncoder();
    const { commandEncoder } = this.#commands;
    if (commandEncoder !== null) timestamps.resolve(commandEncoder);
    this.submitQueue();
    timestamps.collect();
  }

  /** Runs `encode` in a pass of its own where passes are timed. */
  #timed<T>(name: string, encode: () => T): T {
    const timestamps = this.#timestamps;
    if (timestamps === undefined || !timestamps.recording) return encode();
    if (timestamps.isFull) this.#collectTimes(timestamps);
    this.ensureCommandEncoderReady();
    this.endComputePassEncoder();
    const commands = this.#commands;
    const timestampWrites = timestamps.next(name);
    commands.computePassEncoder = commands.commandEncoder?.beginComputePass({ timestampWrites }) ?? null;
    const result = encode();
    this.endComputePassEncoder();
    return result;
  }

  /** Runs a program of tfjs. */
  override runWebGPUProgram(...call: StockRun): tf.TensorInfo {
    const [program] = call;
    const run = () => super.runWebGPUProgram(...call);
    // Without elements nothing is dispatched.
    if (bytesOf(program.outputShape) === 0) return run();
    return this.#timed(`tfjs ${program.constructor.name}`, run);
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
    const { pipeline, layout } = this.#rehearsal?.pipelineOf(program) ?? this.pipelines.get(program);
    const bound = [
      ...Object.keys(program.reads).map((name) => reads[name as Read]),
      ...Object.keys(program.writes).map((name) => writes[name as Write]),
    ];
    const resources = bound.map((value) => this.#binding(program.name, value));
    if (Object.keys(program.uniforms).length > 0) {
      resources.push({ buffer: this.#place.uniforms.get(uniformBytes(program.uniforms, uniforms)) });
    }
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const group = this.device.createBindGroup({ layout, entries });
    this.#own(bound.flatMap((value) => (ArrayBuffer.isView(value) ? [] : [tensorOf(value)])));
    this.#timed(program.name, () => this.#encode(pipeline, group, [x, y, z]));
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
    if (this.#rehearsal === undefined) this.#dispatches++;
    if (commands.dispatchCountInPass < BATCH) return;
    this.endComputePassEncoder();
    this.submitQueue();
  }

  /** Keeps the memory of these tensors until the commands are submitted. */
  #own(tensors: readonly tf.TensorInfo[]): void {
    for (const { dataId } of tensors) this.#commands.commandQueueOwnedIds.add(dataId);
  }

  #binding(kernel: string, value: Bindable): GPUBufferBinding {
    if (ArrayBuffer.isView(value)) return { buffer: this.#place.constants.get(bytesOfArray(value)) };
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
        const buffer = this.#place.pool.acquireBuffer(bytes.length, usage);
        this.#fill(buffer, bytes);
        return buffer;
      },
      release: (buffer) => this.#commands.uniformPendingDisposal.push(buffer),
    });
  }
}

function withoutTimestamps(): BasicError {
  return new BasicError(
    "E_CONFIG",
    `The backend "${BACKEND_NAME}" does not record device times. Start it with start({ timestamps: true }), before any other ` +
      "call of start() in this process.",
  );
}

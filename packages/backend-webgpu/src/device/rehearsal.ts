import { BasicError } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import type { Program } from "../program.js";
import { BufferPool } from "./buffer-pool.js";
import type { Failure } from "./failure.js";
import type { HostData } from "./host-data.js";
import { type ImaginaryPipeline, imaginaryDevice } from "./imaginary-device.js";
import type { Pipeline, PipelineCache } from "./pipelines.js";

type DataId = tf.TensorInfo["dataId"];

/** What tfjs's backend keeps of data. */
type Records = tf.DataStorage<{ values: tf.backend_util.BackendValues; resource?: unknown }>;

/** Pipelines of tfjs's own programs, under its keys. */
export type StockPipelines = Record<string, GPUComputePipeline>;

/** Where a backend's buffers and pipelines are. */
export interface Place {
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly constants: HostData;
  readonly uniforms: HostData;
  readonly stock: StockPipelines;
}

/** A place where nothing is computed, which begins as the real one is, and notes what would have been done. */
export class Rehearsal implements Place {
  readonly device: GPUDevice;
  readonly pool: ImaginaryPool;
  readonly constants: HostData;
  readonly uniforms: HostData;
  readonly stock: StockPipelines;
  /** Data that were made here and are still there. */
  readonly made = new Set<DataId>();
  /** Values of data from before that had no buffer until now. */
  readonly #lent = new Map<DataId, tf.backend_util.BackendValues>();
  readonly #programs = new Map<string, Program>();

  constructor(real: Place, failure: Failure) {
    this.device = imaginaryDevice(real.device);
    this.pool = new ImaginaryPool(real.pool, this.device, failure);
    const standIn = (buffer: GPUBuffer) => this.pool.standIn(buffer);
    this.constants = real.constants.twin(standIn);
    this.uniforms = real.uniforms.twin(standIn);
    // What tfjs compiles here is its own property; what it has compiled before is found behind it.
    this.stock = Object.create(real.stock) as StockPipelines;
  }

  /** Notes a program that would have run. Imaginary commands do not look at its pipeline. */
  pipelineOf(program: Program): Pipeline {
    this.#programs.set(program.name, program);
    return {} as Pipeline;
  }

  /** Compiles what is not there of the programs that would have run, side by side. */
  async compile(
    cache: PipelineCache,
    stock: StockPipelines,
    onCompile: ((kernels: number) => void) | undefined,
  ): Promise<void> {
    const own = [...this.#programs.values()].filter((program) => !cache.has(program));
    const ofTfjs = Object.entries(this.stock as unknown as Record<string, ImaginaryPipeline>);
    const count = own.length + ofTfjs.length;
    if (count === 0) return;
    onCompile?.(count);
    const compiling = ofTfjs.map(async ([key, program]) => {
      stock[key] = await cache.prepareStock(program);
    });
    await Promise.all([cache.prepare(own), ...compiling]);
  }

  /** Makes data from before what they were: without a buffer, or gone. */
  restore(pool: BufferPool, records: Records): void {
    for (const buffer of this.pool.returned) pool.releaseBuffer(buffer);
    for (const [dataId, values] of this.#lent) {
      if (records.has(dataId)) Object.assign(records.get(dataId), { values, resource: undefined });
    }
  }

  /** Notes data that get a buffer. */
  lend(dataId: DataId, values: tf.backend_util.BackendValues): void {
    if (!this.made.has(dataId)) this.#lent.set(dataId, values);
  }

  /** @throws BasicError `E_CONFIG` when tensors are left, which would go on without values. */
  check(): void {
    if (this.made.size === 0) return;
    throw new BasicError(
      "E_CONFIG",
      `rehearse: ${this.made.size} tensors were made and not disposed. They have no values: dispose what the body makes.`,
    );
  }
}

/** Stand-ins for all buffers of a real pool, used and free, and imaginary ones beside them. */
class ImaginaryPool extends BufferPool {
  /** Buffers of the real pool whose tensors have gone. */
  readonly returned: GPUBuffer[] = [];
  readonly #standIns = new Map<GPUBuffer, GPUBuffer>();
  readonly #before: number;

  constructor(real: BufferPool, device: GPUDevice, failure: Failure) {
    super({ device, failure, idleBytes: real.mostIdleBytes });
    const { used, free } = real.buffers();
    for (const buffer of used) this.#standIns.set(buffer, this.acquireBuffer(buffer.size, buffer.usage));
    const idle = free.map(({ size, usage }) => this.acquireBuffer(size, usage));
    for (const buffer of idle) this.releaseBuffer(buffer);
    this.#before = this.numBytesAllocated;
  }

  /** Bytes by which the real pool would have grown so far, at its peak. */
  get grown(): number {
    return this.peakBytes - this.#before;
  }

  /** The buffer that is here for one of the real pool; any other is itself. */
  standIn(buffer: GPUBuffer): GPUBuffer {
    return this.#standIns.get(buffer) ?? buffer;
  }

  override releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    if (this.#standIns.has(buffer)) this.returned.push(buffer);
    super.releaseBuffer(this.standIn(buffer), reuse);
  }
}

/** The memory of a rehearsal is that of one body. */
export function alreadyRehearsing(): BasicError {
  return new BasicError(
    "E_CONFIG",
    "rehearse: another rehearsal is under way on this backend. Wait until it has ended.",
  );
}

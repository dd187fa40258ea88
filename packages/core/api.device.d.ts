import { Precision, Attributes, Inputs, KernelContract, Storage, RotaryAttrs, CachedAttentionAttrs, AttentionAttrs } from '@basic-mllm/core';
import * as tf from '@tensorflow/tfjs-core';

/** What kernels need of a backend whose tensors are on a device. */
interface DeviceBackend {
    /** A new tensor with arbitrary content; `storage` is how its floats are kept, where the backend has a choice. */
    allocate(shape: readonly number[], dtype?: "float32" | "int32", storage?: Precision): tf.TensorInfo;
    /** The same data once more, counted. */
    alias(tensor: tf.TensorInfo): tf.TensorInfo;
    /** Copies the elements of a tensor into one of the same size. */
    copy(source: tf.TensorInfo, target: tf.TensorInfo): void;
    /** Whether another tensor has the same memory. */
    isShared(tensor: tf.TensorInfo): boolean;
    disposeData(dataId: tf.DataId, force?: boolean): boolean;
    /** Enqueues a run of a program. */
    dispatch(program: never, run: never): void;
}
/** What the body of a kernel works with. */
interface DeviceCall<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes> {
    readonly backend: Backend;
    readonly inputs: Inputs<Name, tf.TensorInfo>;
    readonly attrs: Attrs;
    /** A size of an input. */
    readonly size: (name: Name, axis: number) => number;
    /** All outputs, with the shapes that the contract infers. */
    readonly outputs: readonly tf.TensorInfo[];
    /** Output `index`. */
    readonly out: (index: number) => tf.TensorInfo;
    /** A tensor with arbitrary content, float32 by default, that goes when the call is over. */
    readonly scratch: Backend["allocate"];
    /** Enqueues a run of a program. */
    readonly dispatch: Backend["dispatch"];
}
/** What a body that writes in place works with. */
type InPlaceCall<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes> = Pick<DeviceCall<Backend, Name, Attrs>, "backend" | "inputs" | "attrs" | "scratch" | "dispatch">;
/** What a body works with that writes into the buffers of keys and values. */
interface CacheCall<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes> extends InPlaceCall<Backend, Name | "keys" | "values", Attrs> {
    /** Buffers to write: those of the inputs, or copies where other tensors share them. */
    readonly buffers: {
        readonly keys: tf.TensorInfo;
        readonly values: tf.TensorInfo;
    };
    /** The first output, with the shape that the contract infers. */
    readonly y: tf.TensorInfo;
}
/** How the floats of output `index` of a call are kept. */
type StorageOf<Backend extends DeviceBackend, Attrs extends Attributes> = (call: Pick<DeviceCall<Backend, string, Attrs>, "backend" | "attrs">, index: number) => Precision;
/** Registers the kernels of one backend. */
interface DeviceKernels<Backend extends DeviceBackend> {
    /**
     * Registers a body that fills the outputs, which the contract's `infer` gives their shapes.
     *
     * @param storageOf - How an output's floats are kept. Default: as the backend keeps them by itself.
     */
    readonly implement: <Name extends string, Attrs extends Attributes>(contract: KernelContract<Name, Attrs>, body: (call: DeviceCall<Backend, Name, Attrs>) => void, storageOf?: StorageOf<Backend, Attrs>) => void;
    /** Registers a body that changes inputs in place and returns those: the outputs share their memory. */
    readonly implementInPlace: <Name extends string, Attrs extends Attributes>(contract: KernelContract<Name, Attrs>, body: (call: InPlaceCall<Backend, Name, Attrs>) => readonly tf.TensorInfo[]) => void;
    /** Registers a body whose outputs are `y` and the buffers of keys and values, in place where nothing else holds them. */
    readonly implementWithCache: <Name extends string, Attrs extends Attributes>(contract: KernelContract<Name | "keys" | "values", Attrs>, body: (call: CacheCall<Backend, Name, Attrs>) => void) => void;
}
/** How the backend `name` of tfjs registers bodies: see {@link DeviceKernels}. */
declare function deviceKernels<Backend extends DeviceBackend>(name: string): DeviceKernels<Backend>;
/**
 * Runs `body` with functions that make the tensors it returns, and those that it needs in between. When it throws, all
 * are released.
 */
declare function withTensors<Backend extends DeviceBackend, T>(backend: Backend, body: (allocate: Backend["allocate"], scratch: Backend["allocate"]) => T): T;

/** `result [rows, columns]` = `left [rows, depth]` times a frozen matrix `[columns, depth]`. */
interface FrozenProduct {
    readonly left: tf.TensorInfo;
    readonly weight: tf.TensorInfo;
    readonly storage: Storage;
    readonly result: tf.TensorInfo;
    readonly rows: number;
    readonly columns: number;
    readonly depth: number;
    /** Adds to `result` instead of writing it. */
    readonly accumulate: boolean;
}
/** Tensors of an attention over the buffers of keys and values; `q`, `k` and `v` are the new rows. */
type CachedRows = Readonly<Record<"q" | "k" | "v" | "keys" | "values" | "y", tf.TensorInfo>>;
/** Kernels of a backend that a decoder block is made of, beside those that it has registered. */
interface DecoderBlockParts<Backend extends DeviceBackend> {
    readonly multiply: (backend: Backend, product: FrozenProduct) => void;
    readonly rotate: (backend: Backend, x: tf.TensorInfo, y: tf.TensorInfo, attrs: RotaryAttrs) => void;
    readonly attend: (backend: Backend, rows: CachedRows & {
        readonly scratch: Backend["allocate"];
    }, attrs: CachedAttentionAttrs) => void;
}
/**
 * Registers core's `decoderBlock` as the other kernels one after the other, without tfjs in between; the products add the
 * residuals.
 */
declare function implementDecoderBlock<Backend extends DeviceBackend>({ implementWithCache }: Pick<DeviceKernels<Backend>, "implementWithCache">, name: string, parts: DecoderBlockParts<Backend>): void;

/** Which rows go where: `sources[starts[i] .. starts[i + 1]]` are those that point to `targets[i]`. */
interface RowGroups {
    /** Rows that something points to, ascending. */
    readonly targets: Int32Array;
    readonly starts: Int32Array;
    /** Numbers of the rows that point there, ascending in each group. */
    readonly sources: Int32Array;
}
/** Groups row numbers by where they point; negative ones are left out. */
declare function groupRows(rows: Int32Array): RowGroups;
/** The groups whose targets are from `first` to before `end`; their starts stay those in `sources`. */
declare function groupsWithin({ targets, starts, sources }: RowGroups, first: number, end: number): RowGroups;

/** Rows of a sample: of its queries, and of the keys and values that those see. */
interface SampleRows {
    readonly qStart: number;
    readonly queries: number;
    readonly kStart: number;
    readonly keys: number;
}
/** The samples of packed rows. */
declare function packedSamples({ qOffsets, kvOffsets, }: Pick<AttentionAttrs, "qOffsets" | "kvOffsets">): readonly SampleRows[];
/** Samples whose keys lie in buffers with `room` rows for each. */
declare function cachedSamples({ offsets, starts }: Pick<CachedAttentionAttrs, "offsets" | "starts">, room: number): readonly SampleRows[];
/** The row of the buffers that each new row goes to. */
declare function bufferRows(samples: readonly SampleRows[]): Int32Array;

/** Values of the host as elements of a device: four bytes each, whatever the array that tfjs hands over. */
declare function asWords(values: Float32Array | Int32Array | Uint8Array, dtype: tf.DataType): Float32Array | Int32Array;

export { type CacheCall, type CachedRows, type DecoderBlockParts, type DeviceBackend, type DeviceCall, type DeviceKernels, type FrozenProduct, type InPlaceCall, type RowGroups, type SampleRows, type StorageOf, asWords, bufferRows, cachedSamples, deviceKernels, groupRows, groupsWithin, implementDecoderBlock, packedSamples, withTensors };

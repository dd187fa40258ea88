import {
  type Attributes,
  type Inputs,
  implementKernel,
  type KernelContract,
  type Precision,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

/** What kernels need of a backend whose tensors are on a device. */
export interface DeviceBackend {
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
export interface DeviceCall<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes> {
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
export type InPlaceCall<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes> = Pick<
  DeviceCall<Backend, Name, Attrs>,
  "backend" | "inputs" | "attrs" | "scratch" | "dispatch"
>;

/** What a body works with that writes into the buffers of keys and values. */
export interface CacheCall<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes>
  extends InPlaceCall<Backend, Name | "keys" | "values", Attrs> {
  /** Buffers to write: those of the inputs, or copies where other tensors share them. */
  readonly buffers: { readonly keys: tf.TensorInfo; readonly values: tf.TensorInfo };
  /** The first output, with the shape that the contract infers. */
  readonly y: tf.TensorInfo;
}

/** How the floats of output `index` of a call are kept. */
export type StorageOf<Backend extends DeviceBackend, Attrs extends Attributes> = (
  call: Pick<DeviceCall<Backend, string, Attrs>, "backend" | "attrs">,
  index: number,
) => Precision;

/** Registers the kernels of one backend. */
export interface DeviceKernels<Backend extends DeviceBackend> {
  /**
   * Registers a body that fills the outputs, which the contract's `infer` gives their shapes.
   *
   * @param storageOf - How an output's floats are kept. Default: as the backend keeps them by itself.
   */
  readonly implement: <Name extends string, Attrs extends Attributes>(
    contract: KernelContract<Name, Attrs>,
    body: (call: DeviceCall<Backend, Name, Attrs>) => void,
    storageOf?: StorageOf<Backend, Attrs>,
  ) => void;
  /** Registers a body that changes inputs in place and returns those: the outputs share their memory. */
  readonly implementInPlace: <Name extends string, Attrs extends Attributes>(
    contract: KernelContract<Name, Attrs>,
    body: (call: InPlaceCall<Backend, Name, Attrs>) => readonly tf.TensorInfo[],
  ) => void;
  /** Registers a body whose outputs are `y` and the buffers of keys and values, in place where nothing else holds them. */
  readonly implementWithCache: <Name extends string, Attrs extends Attributes>(
    contract: KernelContract<Name | "keys" | "values", Attrs>,
    body: (call: CacheCall<Backend, Name, Attrs>) => void,
  ) => void;
}

/** How the backend `name` of tfjs registers bodies: see {@link DeviceKernels}. */
export function deviceKernels<Backend extends DeviceBackend>(name: string): DeviceKernels<Backend> {
  return {
    implement: (contract, body, storageOf) => implement(name, contract, body, storageOf),
    implementInPlace: (contract, body) => implementInPlace(name, contract, body),
    implementWithCache: (contract, body) => implementWithCache(name, contract, body),
  };
}

function implement<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes>(
  name: string,
  contract: KernelContract<Name, Attrs>,
  body: (call: DeviceCall<Backend, Name, Attrs>) => void,
  storageOf?: StorageOf<Backend, Attrs>,
): void {
  implementKernel<Name, Attrs, Backend>({
    contract,
    backend: name,
    run: ({ inputs, attrs, backend, outputShapes = contract.infer(shapesOf(inputs), attrs) }) =>
      withTensors(backend, (allocate, scratch) => {
        const outputs = outputShapes.map((shape, index) =>
          allocate(shape, "float32", storageOf?.({ backend, attrs }, index)),
        );
        body({
          backend,
          inputs,
          attrs,
          size: (input, axis) => inputs[input].shape[axis] ?? 1,
          outputs,
          out: (index) => outputs[index] as tf.TensorInfo,
          scratch,
          dispatch: dispatchOf(backend),
        });
        return [...outputs];
      }),
  });
}

function implementInPlace<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes>(
  name: string,
  contract: KernelContract<Name, Attrs>,
  body: (call: InPlaceCall<Backend, Name, Attrs>) => readonly tf.TensorInfo[],
): void {
  implementKernel<Name, Attrs, Backend>({
    contract,
    backend: name,
    run: ({ inputs, attrs, backend }) =>
      withTensors(backend, (_, scratch) => {
        const changed = body({ backend, inputs, attrs, scratch, dispatch: dispatchOf(backend) });
        return changed.map((tensor) => backend.alias(tensor));
      }),
  });
}

function implementWithCache<Backend extends DeviceBackend, Name extends string, Attrs extends Attributes>(
  name: string,
  contract: KernelContract<Name | "keys" | "values", Attrs>,
  body: (call: CacheCall<Backend, Name, Attrs>) => void,
): void {
  implementKernel<Name | "keys" | "values", Attrs, Backend>({
    contract,
    backend: name,
    run: ({ inputs, attrs, backend }) =>
      withTensors(backend, (allocate, scratch) => {
        const toWrite = (buffer: tf.TensorInfo) => {
          if (!backend.isShared(buffer)) return buffer;
          const copy = allocate(buffer.shape);
          backend.copy(buffer, copy);
          return copy;
        };
        const buffers = { keys: toWrite(inputs.keys), values: toWrite(inputs.values) };
        const y = allocate(contract.infer(shapesOf(inputs), attrs)[0] ?? []);
        body({ backend, inputs, attrs, buffers, y, scratch, dispatch: dispatchOf(backend) });
        const output = (input: tf.TensorInfo, written: tf.TensorInfo) =>
          written === input ? backend.alias(input) : written;
        return [y, output(inputs.keys, buffers.keys), output(inputs.values, buffers.values)];
      }),
  });
}

/**
 * Runs `body` with functions that make the tensors it returns, and those that it needs in between. When it throws, all
 * are released.
 */
export function withTensors<Backend extends DeviceBackend, T>(
  backend: Backend,
  body: (allocate: Backend["allocate"], scratch: Backend["allocate"]) => T,
): T {
  const made: tf.TensorInfo[] = [];
  const temporary: tf.TensorInfo[] = [];
  const into =
    (list: tf.TensorInfo[]): Backend["allocate"] =>
    (shape, dtype, storage) => {
      const tensor = backend.allocate(shape, dtype, storage);
      list.push(tensor);
      return tensor;
    };
  try {
    return body(into(made), into(temporary));
  } catch (error) {
    for (const { dataId } of made) backend.disposeData(dataId, true);
    throw error;
  } finally {
    for (const { dataId } of temporary) backend.disposeData(dataId, true);
  }
}

function dispatchOf<Backend extends DeviceBackend>(backend: Backend): Backend["dispatch"] {
  return (program, run) => backend.dispatch(program, run);
}

function shapesOf<Name extends string>(inputs: Inputs<Name, tf.TensorInfo>): Inputs<Name, readonly number[]> {
  const shapes = Object.entries<tf.TensorInfo>(inputs).map(([name, { shape }]) => [name, shape]);
  return Object.fromEntries(shapes);
}

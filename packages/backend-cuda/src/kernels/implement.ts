import { type Attributes, type Inputs, implementKernel, type KernelContract } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CudaBackend, type Dispatch } from "../backend.js";
import type { Parameters, Program } from "../program.js";

/** What a body works with. */
export interface Call<Name extends string, Attrs extends Attributes> {
  readonly backend: CudaBackend;
  readonly inputs: Inputs<Name, tf.TensorInfo>;
  readonly attrs: Attrs;
  /** A size of an input. */
  readonly size: (name: Name, axis: number) => number;
  /** All outputs, with the shapes that the contract infers. */
  readonly outputs: readonly tf.TensorInfo[];
  /** Output `index`. */
  readonly out: (index: number) => tf.TensorInfo;
  /** A tensor with arbitrary content, float32 by default, that goes when the call is over. */
  readonly scratch: Allocate;
  /** Runs a program: see {@link CudaBackend.dispatch}. */
  readonly dispatch: <Params extends Parameters>(program: Program<Params>, launch: Dispatch<Params>) => void;
}

/** Registers a body that fills the outputs, which the contract's `infer` gives their shapes. */
export function implement<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  body: (call: Call<Name, Attrs>) => void,
): void {
  implementKernel<Name, Attrs, CudaBackend>({
    contract,
    backend: BACKEND_NAME,
    run: ({ inputs, attrs, backend, outputShapes = contract.infer(shapesOf(inputs), attrs) }) =>
      withTensors(backend, (allocate, scratch) => {
        const outputs = outputShapes.map((shape) => allocate(shape));
        body({
          backend,
          inputs,
          attrs,
          size: (name, axis) => inputs[name].shape[axis] ?? 1,
          outputs,
          out: (index) => outputs[index] as tf.TensorInfo,
          scratch,
          dispatch: (program, launch) => backend.dispatch(program, launch),
        });
        return [...outputs];
      }),
  });
}

/**
 * Registers a body that changes inputs in place and returns those: the outputs share their memory.
 *
 * @public
 */
export function implementInPlace<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  body: (call: InPlaceCall<Name, Attrs>) => readonly tf.TensorInfo[],
): void {
  implementKernel<Name, Attrs, CudaBackend>({
    contract,
    backend: BACKEND_NAME,
    run: ({ inputs, attrs, backend }) =>
      withTensors(backend, (_, scratch) =>
        body({
          backend,
          inputs,
          attrs,
          scratch,
          dispatch: (program, launch) => backend.dispatch(program, launch),
        }).map((tensor) => backend.alias(tensor)),
      ),
  });
}

/** What a body that writes in place works with. */
export type InPlaceCall<Name extends string, Attrs extends Attributes> = Pick<
  Call<Name, Attrs>,
  "backend" | "inputs" | "attrs" | "scratch" | "dispatch"
>;

/** Makes a tensor with arbitrary content, float32 by default. */
export type Allocate = (shape: readonly number[], dtype?: tf.DataType) => tf.TensorInfo;

/**
 * Runs `body` with functions that make the tensors it returns, and those that it needs in between. When it throws, all
 * are released.
 */
export function withTensors<T>(backend: CudaBackend, body: (allocate: Allocate, scratch: Allocate) => T): T {
  const made: tf.TensorInfo[] = [];
  const temporary: tf.TensorInfo[] = [];
  const into =
    (list: tf.TensorInfo[]): Allocate =>
    (shape, dtype = "float32") => {
      const tensor = backend.allocate(shape, dtype);
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

function shapesOf<Name extends string>(inputs: Inputs<Name, tf.TensorInfo>): Inputs<Name, readonly number[]> {
  const shapes = Object.entries<tf.TensorInfo>(inputs).map(([name, { shape }]) => [name, shape]);
  return Object.fromEntries(shapes);
}

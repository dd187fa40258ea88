import { type Attributes, type Inputs, implementKernel, type KernelContract } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";
import { BACKEND_NAME, type CpuBackend } from "../backend.js";
import type { NativeBindings } from "../bindings.js";
import { withKernelErrors } from "../kernel-error.js";

/** What a body works with. */
export interface Call<Name extends string, Attrs extends Attributes> {
  readonly native: NativeBindings;
  readonly attrs: Attrs;
  /** Values of all inputs, in their order. */
  readonly all: () => readonly Float32Array[];
  /** Values of a float32 input. */
  readonly floats: (name: Name) => Float32Array;
  /** Values of an int32 input. */
  readonly integers: (name: Name) => Int32Array;
  /** A size of an input. */
  readonly size: (name: Name, axis: number) => number;
  /** Memory of output `index`; empty when this call has no such output. */
  readonly out: (index: number) => Float32Array;
}

/** No values: stands for an input or output that a call does not have. */
export const NONE = new Float32Array(0);

/** Registers a body that fills the outputs, which the contract's `infer` gives their shapes. */
export function implement<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  body: (call: Call<Name, Attrs>) => void,
): void {
  implementKernel<Name, Attrs, CpuBackend>({
    contract,
    backend: BACKEND_NAME,
    run: ({ inputs, attrs, backend, outputShapes = contract.infer(shapesOf(inputs), attrs) }) => {
      const outputs = outputShapes.map((shape) => backend.allocate(shape));
      const call: Call<Name, Attrs> = {
        native: backend.native,
        attrs,
        all: () => Object.values<tf.TensorInfo>(inputs).map((tensor) => backend.floats(tensor)),
        floats: (name) => backend.floats(inputs[name]),
        integers: (name) => backend.integers(inputs[name]),
        size: (name, axis) => inputs[name].shape[axis] ?? 1,
        out: (index) => outputs[index]?.values ?? NONE,
      };
      try {
        withKernelErrors(() => body(call));
      } catch (error) {
        for (const { dataId } of outputs) backend.disposeData(dataId, true);
        throw error;
      }
      const [first] = outputs;
      return outputs.length === 1 && first !== undefined ? first : outputs;
    },
  });
}

/** Registers a body that changes inputs in place and returns those: the outputs share their memory. */
export function implementInPlace<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  body: (call: {
    inputs: Inputs<Name, tf.TensorInfo>;
    attrs: Attrs;
    backend: CpuBackend;
  }) => readonly tf.TensorInfo[],
): void {
  implementKernel<Name, Attrs, CpuBackend>({
    contract,
    backend: BACKEND_NAME,
    run: (call) => withKernelErrors(() => body(call)).map((tensor) => call.backend.alias(tensor)),
  });
}

function shapesOf<Name extends string>(inputs: Inputs<Name, tf.TensorInfo>): Inputs<Name, readonly number[]> {
  const pairs = Object.entries<tf.TensorInfo>(inputs).map(([name, { shape }]) => [name, shape]);
  return Object.fromEntries(pairs) as Inputs<Name, readonly number[]>;
}

import { type Attributes, type Inputs, implementKernel, type KernelContract } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CudaBackend } from "../../backend.js";
import { withTensors } from "../implement.js";

/** What a body works with that writes into the buffers of keys and values. */
export interface BufferCall<Name extends string, Attrs extends Attributes> {
  readonly backend: CudaBackend;
  readonly inputs: Inputs<Name, tf.TensorInfo>;
  readonly attrs: Attrs;
  /** Buffers to write: those of the inputs, or copies where other tensors share them. */
  readonly buffers: { readonly keys: tf.TensorInfo; readonly values: tf.TensorInfo };
  /** The first output, with the shape that the contract infers. */
  readonly y: tf.TensorInfo;
  readonly scratch: (shape: readonly number[]) => tf.TensorInfo;
}

/** Registers a body whose outputs are `y` and the buffers of keys and values, in place where nothing else holds them. */
export function implementKernelWithBuffers<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name | "keys" | "values", Attrs>,
  body: (call: BufferCall<Name | "keys" | "values", Attrs>) => void,
): void {
  implementKernel<Name | "keys" | "values", Attrs, CudaBackend>({
    contract,
    backend: BACKEND_NAME,
    run: ({ inputs, attrs, backend }) =>
      withTensors(backend, (allocate, scratch) => {
        const toWrite = (buffer: tf.TensorInfo) => {
          if (!backend.isShared(buffer)) return buffer;
          const copy = allocate(buffer.shape);
          backend.copy(buffer, copy);
          return copy;
        };
        const buffers = { keys: toWrite(inputs.keys), values: toWrite(inputs.values) };
        const y = allocate(firstShape(contract, inputs, attrs));
        body({ backend, inputs, attrs, buffers, y, scratch });
        const output = (input: tf.TensorInfo, written: tf.TensorInfo) =>
          written === input ? backend.alias(input) : written;
        return [y, output(inputs.keys, buffers.keys), output(inputs.values, buffers.values)];
      }),
  });
}

function firstShape<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  inputs: Inputs<Name, tf.TensorInfo>,
  attrs: Attrs,
): readonly number[] {
  const shapes = Object.entries<tf.TensorInfo>(inputs).map(([name, { shape }]) => [name, shape]);
  const [first = []] = contract.infer(Object.fromEntries(shapes), attrs);
  return first;
}

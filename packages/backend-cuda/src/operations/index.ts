import { withTensors } from "@basic-mllm/core/device";
import * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CudaBackend } from "../backend.js";
import type { Allocate } from "../kernels/implement.js";
import { aliases } from "./alias.js";
import { products } from "./batch-matmul.js";
import { creation } from "./creation.js";
import { elementwise } from "./elementwise/elementwise.js";
import { select } from "./elementwise/select.js";
import { registerMissing } from "./missing.js";
import { movement } from "./movement/movement.js";
import { checkResult, checkTensor, type Operation, type Operations } from "./operation.js";
import { alongAxis } from "./reduction/along-axis.js";
import { reductions } from "./reduction/reduce.js";
import { rows } from "./rows/rows.js";
import { type Handling, handlingOf, runStored } from "./storage.js";

/** Operations by what they do, for registration and for docs/kernels.md. */
const FAMILIES: Readonly<Record<string, Operations>> = {
  "element by element": { ...elementwise, ...select },
  reductions,
  "along an axis": alongAxis,
  "whole rows": rows,
  "matrix products": products,
  "other places": movement,
  "new tensors and dtypes": creation,
  "same memory, other shape": aliases,
};

/** Stock tfjs kernels of this backend, sorted, by what they do. The others throw `E_KERNEL_MISSING`. */
export const stockKernels: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(FAMILIES).map(([family, operations]) => [family, Object.keys(operations).sort()]),
);

/** Registers the stock operations of tfjs that models, losses and training use, and errors for the others. */
export function registerOperations(): void {
  for (const operations of Object.values(FAMILIES)) {
    for (const [name, run] of Object.entries(operations)) {
      if (operations === aliases) register(name, run, { checked: false, handling: "own" });
      else register(name, run, { checked: true, handling: handlingOf(name, movement) });
    }
  }
  registerMissing();
}

interface Registered {
  /** The operation takes and gives numbers only, and not too many. */
  readonly checked: boolean;
  readonly handling: Handling;
}

function register(kernelName: string, run: Operation, { checked, handling }: Registered): void {
  const checking =
    (make: Allocate): Allocate =>
    (shape, dtype = "float32", storage = "f32") => {
      checkResult(kernelName, { shape, dtype });
      return make(shape, dtype, storage);
    };
  const kernelFunc: tf.KernelFunc = ({ inputs, attrs, backend: current }) => {
    const backend = current as CudaBackend;
    const tensors = inputs as Readonly<Record<string, tf.TensorInfo>>;
    if (checked) for (const tensor of Object.values(tensors)) checkTensor(kernelName, tensor);
    return withTensors(backend, (allocate, scratch) => {
      const call = {
        ...{ name: kernelName, inputs: tensors, attrs: attrs ?? {}, backend },
        ...{ allocate: checking(allocate), scratch: checking(scratch) },
      };
      return backend.precision !== "bf16" ? run(call) : runStored(call, run, handling);
    });
  };
  tf.registerKernel({ kernelName, backendName: BACKEND_NAME, kernelFunc });
}

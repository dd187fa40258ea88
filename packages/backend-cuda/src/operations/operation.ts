import { BasicError } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CudaBackend } from "../backend.js";
import type { Allocate } from "../kernels/implement.js";
import { sizeOf } from "./shapes.js";

/** A call of a stock kernel. */
export interface Call<Input extends string, Attrs extends object> {
  /** Name of the kernel, for errors. */
  readonly name: string;
  readonly inputs: Readonly<Record<Input, tf.TensorInfo>>;
  readonly attrs: Attrs;
  readonly backend: CudaBackend;
  /** Makes a result. */
  readonly allocate: Allocate;
  /** Makes a tensor that goes when the call is over. */
  readonly scratch: Allocate;
}

/** The body of a stock kernel. */
export type Operation = (call: Call<string, object>) => tf.TensorInfo | tf.TensorInfo[];

/** Stock kernels by name. */
export type Operations = Readonly<Record<string, Operation>>;

/** A body that knows the names of its inputs and attributes. */
export function operation<Input extends string, Attrs extends object = object>(
  run: (call: Call<Input, Attrs>) => tf.TensorInfo | tf.TensorInfo[],
): Operation {
  return run as Operation;
}

/** Kernels of this folder count elements with 32 bits, and step beyond the last one by less than the rest. */
const MOST_ELEMENTS = 2 ** 31 - 1024;

interface Description {
  readonly dtype: tf.DataType;
  readonly shape: readonly number[];
}

/** @throws BasicError `E_KERNEL_MISSING` for values that no kernel takes, `E_SHAPE` for a tensor that is too large. */
export function checkTensor(name: string, { dtype, shape }: Description): void {
  // A bool is an int on the device.
  if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
    throw unsupported(name, `${dtype} tensors`, "Use float32, int32 or bool, or compute on the host");
  }
  if (sizeOf(shape) <= MOST_ELEMENTS) return;
  throw new BasicError(
    "E_SHAPE",
    `${name}: a tensor of shape [${shape.join(", ")}] has more than 2^31 - 1024 elements, the most that stock operations ` +
      "take on the CUDA backend. Split it along its first axis.",
  );
}

/** @throws BasicError as {@link checkTensor}, and `E_SHAPE` for sizes that no tensor has. */
export function checkResult(name: string, result: Description): void {
  checkTensor(name, result);
  if (result.shape.every((size) => Number.isInteger(size) && size >= 0)) return;
  throw new BasicError(
    "E_SHAPE",
    `${name}: the result would have the shape [${result.shape.join(", ")}], but sizes are integers from 0 on. Check the ` +
      "sizes that it was given.",
  );
}

/** The error of a stock kernel that does not take what it was given. */
export function unsupported(name: string, given: string, advice: string): BasicError {
  return new BasicError(
    "E_KERNEL_MISSING",
    `${name} on the backend "${BACKEND_NAME}" does not take ${given}. ${advice}.`,
  );
}

/** The type of a tensor's values in CUDA C++. */
export function typeOf({ dtype }: Pick<tf.TensorInfo, "dtype">): "float" | "int" {
  return dtype === "float32" ? "float" : "int";
}

/** The bits of a number as a value of this dtype. */
export function bitsOf(value: number, dtype: tf.DataType): number {
  if (dtype === "float32") return new Int32Array(Float32Array.of(value).buffer)[0] as number;
  return dtype === "bool" ? Number(value !== 0) : value | 0;
}

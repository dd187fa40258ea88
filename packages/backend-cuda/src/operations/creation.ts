import * as tf from "@tensorflow/tfjs-core";

import type { CudaBackend } from "../backend.js";
import type { Program } from "../program.js";
import { applyUnary, unaryProgram } from "./elementwise/elementwise.js";
import { fill } from "./movement/copy.js";
import { type Operations, operation, typeOf } from "./operation.js";

interface FillAttrs {
  readonly shape: number[];
  readonly value: number;
  readonly dtype?: tf.DataType;
}

const fillOperation = operation<never, FillAttrs>(({ attrs, backend, allocate }) => {
  const dtype = attrs.dtype ?? tf.util.inferDtype(attrs.value);
  const y = allocate(attrs.shape, dtype);
  fill(backend, y, attrs.value);
  return y;
});

function like(value: number) {
  return operation<"x">(({ inputs: { x }, backend, allocate }) => {
    const y = allocate(x.shape, x.dtype);
    fill(backend, y, value);
    return y;
  });
}

const casts = {
  "float to int": unaryProgram("Cast", { input: "float", output: "int" }, "to_int32(x)"),
  "int to float": unaryProgram("Cast", { input: "int", output: "float" }, "(float)x"),
  "int to int": unaryProgram("Cast", { input: "int", output: "int" }, "x"),
  "float to float": unaryProgram("Cast", { input: "float", output: "float" }, "x"),
};

const toBool = {
  float: unaryProgram("Cast to bool", { input: "float", output: "int" }, "x != 0.0f"),
  int: unaryProgram("Cast to bool", { input: "int", output: "int" }, "x != 0"),
};

/** Cast; to the same dtype it is another reference. */
const cast = operation<"x", { dtype: tf.DataType }>((call) => {
  const { x } = call.inputs;
  const { dtype } = call.attrs;
  if (x.dtype === dtype) return call.backend.alias(x);
  const y = call.allocate(x.shape, dtype);
  const program = dtype === "bool" ? toBool[typeOf(x)] : casts[`${typeOf(x)} to ${typeOf(y)}`];
  applyUnary(call, program, { x, y });
  return y;
});

interface RangeAttrs {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  readonly dtype: "float32" | "int32";
}

/** Range: few numbers, which the host computes. A step of 1 turns round where the end is below the start, as in tfjs. */
const range = operation<never, RangeAttrs>(({ attrs: { start, stop, step: given, dtype }, backend }) => {
  const step = stop < start && given === 1 ? -1 : given;
  const count = Math.max(0, Math.ceil((stop - start) / step));
  const values = Array.from({ length: count }, (_, i) => start + i * step);
  return upload(backend, dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values), dtype);
});

interface LinSpaceAttrs {
  readonly start: number;
  readonly stop: number;
  readonly num: number;
}

const linSpace = operation<never, LinSpaceAttrs>(({ attrs: { start, stop, num }, backend }) => {
  const step = num === 1 ? 0 : (stop - start) / (num - 1);
  const values = Float32Array.from({ length: num }, (_, i) => start + i * step);
  return upload(backend, values, "float32");
});

function upload(
  backend: CudaBackend,
  values: Float32Array | Int32Array,
  dtype: "float32" | "int32",
): tf.TensorInfo {
  const shape = [values.length];
  return { dataId: backend.write(values, shape, dtype), shape, dtype };
}

/** Operations that make tensors out of numbers, or out of the same values in another dtype. */
export const creation: Operations = {
  Fill: fillOperation,
  ZerosLike: like(0),
  OnesLike: like(1),
  Cast: cast,
  Range: range,
  LinSpace: linSpace,
};

/** Kernels of Cast. */
export const castPrograms: readonly Program[] = [...Object.values(casts), ...Object.values(toBool)];

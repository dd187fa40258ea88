import type * as tf from "@tensorflow/tfjs-core";

import { override, UNHANDLED } from "./register.js";

interface FillAttrs {
  readonly shape: number[];
  readonly value: number;
  readonly dtype?: tf.DataType;
}

/** Fill, ZerosLike, OnesLike and Cast. */
export function registerCreation(): void {
  override<never, FillAttrs>("Fill", ({ attrs: { shape, value, dtype }, backend }) => {
    const isFloat = dtype === "float32" || (dtype === undefined && typeof value === "number");
    if (!isFloat) return UNHANDLED;
    const out = backend.allocate(shape);
    backend.native.fill(out.values, value);
    return out;
  });
  for (const [name, value] of [["ZerosLike", 0] as const, ["OnesLike", 1] as const]) {
    override<"x">(name, ({ inputs: { x }, backend }) => {
      if (x.dtype !== "float32") return UNHANDLED;
      const out = backend.allocate(x.shape);
      backend.native.fill(out.values, value);
      return out;
    });
  }
  registerCast();
}

/** Cast between float32 and int32, and from bool to float32; to the same type it is another reference. */
function registerCast(): void {
  override<"x", { dtype: tf.DataType }>("Cast", ({ inputs: { x }, attrs: { dtype }, backend }) => {
    if (x.dtype === dtype && dtype !== "complex64") return backend.alias(x);
    if (x.dtype === "float32" && dtype === "int32") {
      const values = backend.floats(x);
      const out = new Int32Array(values.length);
      backend.native.castFloats(values, out);
      return backend.makeTensorInfo(x.shape, "int32", out);
    }
    if (dtype !== "float32" || (x.dtype !== "int32" && x.dtype !== "bool")) return UNHANDLED;
    const out = backend.allocate(x.shape);
    if (x.dtype === "int32") backend.native.castIntegers(backend.integers(x), out.values);
    else backend.native.castBooleans(backend.bytes(x), out.values);
    return out;
  });
}

import type * as tf from "@tensorflow/tfjs-core";

import { stored } from "../kernels/convert/convert.js";
import { storageOf } from "../memory/storage.js";
import type { Call, Operation, Operations } from "./operation.js";
import { sizeOf } from "./shapes.js";

/**
 * What an operation makes of tensors in bfloat16. `float32`: they are widened for it. `moved`: it copies them as they are, where
 * all are in bfloat16. `computed`: it computes in their variant where all are, and else its result is rounded if an operand in
 * bfloat16 has as many elements. `own`: it looks for itself.
 */
export type Handling = "float32" | "moved" | "computed" | "own";

const COMPUTED: readonly string[] = ["Add", "AddN", "Multiply", "Sub"];
const OWN: readonly string[] = ["BatchMatMul", "OnesLike", "ZerosLike"];

/** How an operation of a family is handled. */
export function handlingOf(name: string, moves: Operations): Handling {
  if (name in moves) return "moved";
  if (COMPUTED.includes(name)) return "computed";
  return OWN.includes(name) ? "own" : "float32";
}

type AnyCall = Call<string, object>;

/** Runs an operation of tensors some of which are in bfloat16. */
export function runStored(call: AnyCall, run: Operation, handling: Handling): ReturnType<Operation> {
  const floats = Object.values(call.inputs).filter(({ dtype }) => dtype === "float32");
  const rounded = floats.filter(isBf16);
  const alike = handling !== "float32" && rounded.length === floats.length;
  if (rounded.length === 0 || alike || handling === "own") return run(call);
  return inFloat32(call, (inputs) => {
    const result = run({ ...call, inputs });
    const most = Math.max(...rounded.map(({ shape }) => sizeOf(shape)));
    if (handling !== "computed" || Array.isArray(result) || sizeOf(result.shape) !== most) return result;
    const y = call.allocate(result.shape, "float32", "bf16");
    call.backend.copy(result, y);
    call.backend.disposeData(result.dataId);
    return y;
  });
}

function isBf16(tensor: tf.TensorInfo): boolean {
  return storageOf(tensor) === "bf16";
}

/** Widened inputs are not `scratch`: a result may be another view of one, which then keeps it. */
function inFloat32<T>(
  { inputs, backend }: AnyCall,
  use: (inputs: Readonly<Record<string, tf.TensorInfo>>) => T,
): T {
  const made: tf.TensorInfo[] = [];
  const widen = (x: tf.TensorInfo) =>
    stored(
      backend,
      (shape, dtype, storage) => {
        const copy = backend.allocate(shape, dtype, storage);
        made.push(copy);
        return copy;
      },
      { x, storage: "f32" },
    );
  try {
    return use(Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, widen(x)])));
  } finally {
    for (const { dataId } of made) backend.disposeData(dataId);
  }
}

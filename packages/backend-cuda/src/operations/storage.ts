import * as tf from "@tensorflow/tfjs-core";

import { stored } from "../kernels/convert/convert.js";
import { isBf16 } from "../memory/storage.js";
import { IN_BF16 } from "./elementwise/table.js";
import type { Call, Operation, Operations } from "./operation.js";
import { sizeOf } from "./shapes.js";

/**
 * What an operation makes of tensors in bfloat16. `float32`: they are widened for it. `alike`: it takes them as they are, where all
 * are in bfloat16. `computed`: where its result is to be in bfloat16, too, that is, where one of two has as many elements as the
 * result. `own`: it looks for itself.
 */
export type Handling = "float32" | "alike" | "computed" | "own";

const OWN: readonly string[] = ["BatchMatMul", "OnesLike", "ZerosLike"];

/** How an operation is handled; `moves` copy values to other places. */
export function handlingOf(name: string, moves: Operations): Handling {
  if (name in moves || name === "AddN") return "alike";
  if (IN_BF16.includes(name)) return "computed";
  return OWN.includes(name) ? "own" : "float32";
}

type AnyCall = Call<string, object>;

/** Runs an operation of tensors some of which are in bfloat16. */
export function runStored(call: AnyCall, run: Operation, handling: Handling): ReturnType<Operation> {
  const floats = Object.values(call.inputs).filter(({ dtype }) => dtype === "float32");
  const direct = takesAsTheyAre(floats, handling);
  return direct ? run(call) : inFloat32(call, (inputs) => run({ ...call, inputs }));
}

function takesAsTheyAre(floats: readonly tf.TensorInfo[], handling: Handling): boolean {
  const rounded = floats.filter(isBf16);
  if (rounded.length === 0 || handling === "own") return true;
  if (handling === "float32") return false;
  return rounded.length === floats.length || (handling === "computed" && hasTheMost(rounded, floats));
}

/** Whether the one of two operands that is in bfloat16 has as many elements as the result. */
function hasTheMost([one]: readonly tf.TensorInfo[], operands: readonly tf.TensorInfo[]): boolean {
  const [a, b] = operands.map(({ shape }) => [...shape]);
  if (one === undefined || a === undefined || b === undefined || operands.length > 2) return false;
  return sizeOf(tf.broadcast_util.assertAndGetBroadcastShape(a, b)) === sizeOf(one.shape);
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

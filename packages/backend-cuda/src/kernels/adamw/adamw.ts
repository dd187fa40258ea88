import { adamw, type MomentStorage } from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { defineProgram } from "../../program.js";
import { implementInPlace } from "../implement.js";
import { elementsOf, tensorTable } from "../tensors/tensors.js";
import source from "./adamw.cu";

/** MOMENTS of adamw.cu. */
const momentNumbers: Readonly<Record<MomentStorage, number>> = { float32: 0, bfloat16: 1, int8: 2 };

/** Bytes of a parameter, its gradient and its moments that are read or written. */
const VALUE_BYTES: Readonly<Record<MomentStorage, number>> = { float32: 28, bfloat16: 20, int8: 16 };

/** BasicAdamw: one launch for all tensors; parameters and moments change where they are. */
export function registerAdamw(): void {
  implementInPlace(adamw, ({ backend, inputs, attrs }) => {
    const { learningRates, weightDecays, beta1, beta2, epsilon, step, moments } = attrs;
    const rows = Array.from(learningRates, (rate, i) => ({
      tensors: (["parameter", "gradient", "m", "v"] as const).map(
        (name) => inputs[`${name}${i}`] as tf.TensorInfo,
      ),
      rate,
      decay: 1 - rate * (weightDecays[i] ?? 0),
    }));
    const { table, tensors, blocks } = tensorTable(backend, rows);
    backend.dispatch(programOf(moments), {
      grid: [blocks],
      args: {
        ...{ table, control: inputs.control, tensors, step },
        ...{ beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2 },
        ...{ correction1: 1 - beta1 ** step, correction2: 1 - beta2 ** step, epsilon },
      },
    });
    return rows.flatMap(({ tensors: [parameter, , m, v] }) => [parameter, m, v] as tf.TensorInfo[]);
  });
}

function programOf(moments: MomentStorage) {
  return defineProgram({
    name: `adamw ${moments}`,
    source,
    entry: "adamw",
    defines: { MOMENTS: momentNumbers[moments] },
    params: {
      ...({ table: "pointer", control: "pointer", tensors: "i32", step: "u32" } as const),
      ...({ beta1: "f32", beta2: "f32", rest1: "f32", rest2: "f32" } as const),
      ...({ correction1: "f32", correction2: "f32", epsilon: "f32" } as const),
    },
    block: 256,
    work: ({ table }) => {
      const values = elementsOf(table);
      return { bytes: VALUE_BYTES[moments] * values, flops: (moments === "float32" ? 15 : 30) * values };
    },
  });
}

/** Every program of AdamW. */
export const adamwPrograms = (Object.keys(momentNumbers) as MomentStorage[]).map(programOf);

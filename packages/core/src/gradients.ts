import * as tf from "@tensorflow/tfjs-core";

import { elementwiseGradients } from "./gradients/elementwise.js";
import { layoutGradients } from "./gradients/layout.js";
import { reductionGradients } from "./gradients/reductions.js";
import type { StockGradient } from "./gradients/stock-gradient.js";

let registered = false;

/**
 * Registers the gradients of the stock tfjs kernels that core puts on a tape, where none is registered yet.
 *
 * `@tensorflow/tfjs-core` alone has no gradients, and its own file of them cannot be imported in Node. Ours are also
 * right where a stock one is not: broadcast products, broadcast maximum and minimum, a split into one piece.
 * May be called often; only the first call does anything.
 */
export function registerStockGradients(): void {
  if (registered) return;
  registered = true;
  for (const gradient of stockGradients) {
    const present: unknown = tf.getGradient(gradient.kernel);
    if (present === undefined) tf.registerGradient(toConfig(gradient));
  }
}

/** Every stock gradient of core. */
export const stockGradients: readonly StockGradient[] = [
  ...elementwiseGradients,
  ...reductionGradients,
  ...layoutGradients,
];

function toConfig({ kernel, save, saveOutput, gradients }: StockGradient): tf.GradConfig {
  return {
    kernelName: kernel,
    ...(save === "all" ? { saveAllInputs: true } : { inputsToSave: [...(save ?? [])] }),
    ...(saveOutput && { outputsToSave: [true] }),
    gradFunc: (dy, saved, attrs) => {
      const dys = Array.isArray(dy) ? dy : [dy];
      return { ...gradients({ dy: dys[0] as tf.Tensor, dys, saved, attrs }) };
    },
  };
}

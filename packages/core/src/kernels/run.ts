import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { registerStockGradients } from "../gradients.js";
import { type Attributes, findKernel, type Inputs, type KernelContract } from "./contract.js";

/** What to do where a backend has no body for a contract. */
export type Fallback = "error" | "reference";

let fallback: Fallback = "error";

/** Sets what {@link runKernel} does where the backend has no body of its own. Returns the former setting. */
export function setFallback(next: Fallback): Fallback {
  registerStockGradients();
  const before = fallback;
  fallback = next;
  return before;
}

/** Runs a contract on the current backend. Uses the reference only after `setFallback("reference")`. */
export function runKernel<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  inputs: Inputs<NoInfer<Name>, tf.Tensor>,
  attrs: NoInfer<Attrs>,
): readonly tf.Tensor[] {
  const backend = tf.getBackend();
  contract.infer(shapesOf(inputs), attrs);
  if (findKernel(contract.name, backend) !== undefined) {
    const output: tf.Tensor | tf.Tensor[] = tf
      .engine()
      .runKernel(contract.name, { ...inputs }, attrs as unknown as tf.NamedAttrMap);
    return Array.isArray(output) ? output : [output];
  }
  if (fallback === "reference") return tf.tidy(() => [...contract.reference(inputs, attrs)]);
  throw new BasicError(
    "E_KERNEL_MISSING",
    `${contract.name} has no implementation on backend "${backend}". ` +
      `Use a backend that has one (startBackend("cpu")), or ask for the slow composition with { fallback: "reference" }.`,
  );
}

function shapesOf<Name extends string>(inputs: Inputs<Name, tf.Tensor>): Inputs<Name, readonly number[]> {
  const pairs = Object.entries<tf.Tensor>(inputs).map(([name, tensor]) => [name, tensor.shape]);
  return Object.fromEntries(pairs) as Inputs<Name, readonly number[]>;
}

import { valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import type { GoldenCase } from "./golden-case.js";

/** A computation of a case. */
export interface Computation {
  /** What gradients are taken of, by the names after `grad.`. */
  readonly leaves: Readonly<Record<string, tf.Tensor>>;
  /** Outputs by the names after `out.`. May be called several times. */
  readonly run: () => Readonly<Record<string, tf.Tensor>>;
}

/** Compares outputs, then the gradients of Σ out.X · ct.X. */
export async function checkComputation(golden: GoldenCase, { leaves, run }: Computation): Promise<void> {
  for (const [name, tensor] of Object.entries(run())) await golden.compareTensor(`out.${name}`, tensor);
  const wanted = Object.keys(leaves).filter((name) => golden.has(`grad.${name}`));
  if (wanted.length === 0) return;
  const loss = (): tf.Scalar => {
    const terms = Object.entries(run())
      .filter(([name]) => golden.has(`ct.${name}`))
      .map(([name, tensor]) => tf.sum(tf.mul(tensor, golden.tensor(`ct.${name}`))));
    return terms.reduce((sum, term) => tf.add(sum, term)) as tf.Scalar;
  };
  const { gradients } = valueAndGradients(
    loss,
    wanted.map((name) => leaves[name] as tf.Tensor),
  );
  for (const [i, name] of wanted.entries()) {
    await golden.compareTensor(`grad.${name}`, gradients[i] as tf.Tensor);
  }
}

/** Float inputs of a case by the names after `in.`. */
export function inputsOf(golden: GoldenCase, ...names: readonly string[]): Record<string, tf.Tensor> {
  return Object.fromEntries(names.map((name) => [name, golden.tensor(`in.${name}`)]));
}

/** The part of a name after its op: `activation.silu` to `silu`. */
export function variantOf(golden: GoldenCase): string {
  return golden.name.slice(golden.name.indexOf(".") + 1);
}

/** `[..., D]` to `[R, D]`. */
export function asRows(x: tf.Tensor): tf.Tensor2D {
  const width = x.shape.at(-1) as number;
  return tf.reshape(x, [x.size / width, width]);
}

/** The entry of a table under a variant's name; unknown variants throw. */
export function lookUp<Value>(table: Readonly<Record<string, Value>>, variant: string, what: string): Value {
  const value = table[variant];
  if (value === undefined) throw new Error(`unknown ${what} "${variant}"`);
  return value;
}

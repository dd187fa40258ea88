import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import {
  type Attributes,
  findKernel,
  type InputSpec,
  type Inputs,
  implementKernel,
  type KernelCase,
  type KernelContract,
} from "../src/kernels/contract.js";
import { runKernel } from "../src/kernels/run.js";
import { inDouble, madeUp } from "./central-differences.js";

/** Registers the reference as the cpu backend's kernel, so that a tape uses the contract's own gradient. */
export function implementReference<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
): void {
  if (findKernel(contract.name, "cpu") !== undefined) return;
  implementKernel<Name, Attrs, object>({
    contract,
    backend: "cpu",
    run: ({ inputs, attrs }) => {
      const outputs = tf.tidy(() => [...contract.reference(inputs as Inputs<Name, tf.Tensor>, attrs)]);
      return outputs.length > 1 ? outputs : (outputs[0] as tf.Tensor);
    },
  });
}

/** Uses the cpu backend with the reference of each contract in the tests of a file. */
export function useReferences<Contracts extends readonly unknown[]>(...contracts: Contracts): void {
  beforeAll(async () => {
    expect(await tf.setBackend("cpu")).toBe(true);
    for (const contract of contracts) implementReference(contract as KernelContract);
  });
}

/** What holds for every case of every contract: shapes, tolerance, determinism, no leak. */
export function checkCases<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
): void {
  it.each([...contract.cases])("is within its tolerance of double precision for $title", (testCase) => {
    const before = tf.memory().numTensors;
    const single = evaluate(contract, testCase);
    const again = evaluate(contract, testCase);
    const double = inDouble(() => evaluate(contract, testCase));
    const shapes = Object.fromEntries(
      Object.entries<InputSpec>(testCase.inputs).map(([name, { shape }]) => [name, shape]),
    ) as Inputs<Name, readonly number[]>;
    expect(single.map(({ shape }) => shape)).toEqual(contract.infer(shapes, testCase.attrs));
    expect(again).toEqual(single);
    for (const [i, { values }] of single.entries()) {
      const expected = double[i]?.values ?? [];
      const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      const worst = values.reduce(
        (max, value, at) => Math.max(max, Math.abs(value - (expected[at] as number))),
        0,
      );
      expect(worst).toBeLessThanOrEqual(contract.tolerance.absolute + contract.tolerance.relative * largest);
      expect(values.every(Number.isFinite)).toBe(true);
    }
    expect(tf.memory().numTensors).toBe(before);
  });
}

function evaluate<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  { inputs, attrs }: KernelCase<Name, Attrs>,
): { shape: number[]; values: number[] }[] {
  return tf.tidy(() => {
    const tensors = Object.entries<InputSpec>(inputs).map(([name, spec], i) => [name, tensorOf(spec, i + 1)]);
    const outputs = runKernel(contract, Object.fromEntries(tensors) as Inputs<Name, tf.Tensor>, attrs);
    return outputs.map((output) => ({ shape: output.shape, values: Array.from(output.dataSync()) }));
  });
}

function tensorOf({ shape, scale = 1, values, dtype = "float32" }: InputSpec, salt: number): tf.Tensor {
  const count = tf.util.sizeFromShape([...shape]);
  // Rounded to float32, so that both precisions see the same numbers.
  const own = values ?? madeUp(count, salt).map((value) => Math.fround(value * scale * Math.sqrt(3)));
  return tf.tensor(dtype === "float32" ? own.map(Math.fround) : [...own], [...shape], dtype);
}

import { createHash } from "node:crypto";

import { allContracts, type KernelContract, runKernel, valueAndGradients } from "@basic-mllm/core";
import { type AnyCase, hostTensor } from "@basic-mllm/testing";
import * as tf from "@tensorflow/tfjs-core";

/** A hash of the bits of all outputs and gradients of every conformance case on the current backend. */
export function caseBits(): ReadonlyMap<string, string> {
  const pairs = allContracts.flatMap((contract) =>
    contract.cases.map((testCase): [string, string] => [
      `${contract.name}: ${testCase.title}`,
      hash(contract, testCase),
    ]),
  );
  return new Map(pairs);
}

/** Cases whose bits differ. */
export function differing(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): readonly string[] {
  return [...a].filter(([name, bits]) => b.get(name) !== bits).map(([name]) => name);
}

function hash(contract: KernelContract, { inputs, attrs, title }: AnyCase): string {
  const digest = createHash("sha256");
  tf.tidy(() => {
    const tensors = Object.fromEntries(
      contract.inputs.map((name) => {
        const spec = inputs[name];
        if (spec === undefined) throw new Error(`Case "${title}" of ${contract.name} has no input ${name}.`);
        const { values, shape, dtype } = hostTensor(spec, `${contract.name}/${title}/${name}`);
        return [name, tf.tensor([...values], [...shape], dtype)];
      }),
    );
    const results = [...runKernel(contract, tensors, attrs)];
    if (contract.gradient !== null) {
      const loss = () => tf.sum(tf.square(runKernel(contract, tensors, attrs)[0] as tf.Tensor)) as tf.Scalar;
      const trained = contract.differentiable.map((name) => tensors[name] as tf.Tensor);
      results.push(...valueAndGradients(loss, trained).gradients);
    }
    for (const result of results) digest.update(new Uint8Array(result.dataSync().buffer));
  });
  return digest.digest("hex");
}

import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { valueAndGradients } from "../autodiff.js";
import { registerStockGradients } from "../gradients.js";
import { implementKernel } from "../kernels/contract.js";
import { linearPair } from "../kernels/linear-group.js";
import { packers, unpack } from "../kernels/quantised.js";
import { setFallback } from "../kernels/run.js";
import { ParameterSet } from "../parameters.js";
import { Builder, type Role, randomValues, type ValueSource } from "./builder.js";
import { callTogether, Linear } from "./linear.js";

const parameters = new ParameterSet();
let layer: Linear;

beforeAll(async () => {
  await tf.setBackend("cpu");
  registerStockGradients();
  setFallback("reference");
  layer = new Linear(new Builder(parameters, randomValues(1, { weight: 0.5 })), "fc", {
    inFeatures: 7,
    outFeatures: 5,
    bias: true,
  });
});

afterAll(() => {
  parameters.dispose();
});

it.each(["none", "gelu-erf", "silu"] as const)(
  "gives the same values and input gradients frozen as trainable (%s)",
  (kind) => {
    const x = tf.tensor2d(
      Float32Array.from({ length: 21 }, (_, i) => Math.sin(i)),
      [3, 7],
    );
    const run = (trainable: boolean) => {
      parameters.setTrainable(trainable);
      const { value, gradients } = valueAndGradients(() => tf.sum(tf.square(layer.call(x, kind))), [x]);
      return [...value.dataSync(), ...(gradients[0] as tf.Tensor).dataSync()];
    };
    const trained = run(true);
    for (const [i, value] of run(false).entries()) expect(value).toBeCloseTo(trained[i] ?? Number.NaN, 5);
  },
);

it("gives weight and bias a gradient where they train", () => {
  parameters.setTrainable(true);
  const x = tf.ones<tf.Rank.R2>([3, 7]);
  const { gradients } = valueAndGradients(
    () => tf.sum(layer.call(x)) as tf.Scalar,
    [layer.weight.value, layer.bias?.value as tf.Tensor],
  );
  expect(gradients.map((gradient) => gradient.dataSync()[0])).toEqual([3, 3]);
});

describe("products of one input together", () => {
  const set = new ParameterSet();
  const builder = new Builder(set, randomValues(2, { weight: 0.5 }));
  const x = tf.tensor2d(
    Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)),
    [3, 4],
  );
  const together = (linears: readonly Linear[]) => {
    const weights = linears.map(({ weight }) => weight.value);
    const run = (call: () => readonly tf.Tensor2D[]) => {
      const loss = () => tf.sum(tf.square(tf.concat([...call()], 1))) as tf.Scalar;
      const { value, gradients } = valueAndGradients(loss, [x, ...weights]);
      return [value, ...gradients].map((tensor) => [...tensor.dataSync()]);
    };
    return [run(() => callTogether(linears, x)), run(() => linears.map((linear) => linear.call(x)))];
  };

  it.each([
    { count: 2, bias: false, trainable: true },
    { count: 3, bias: false, trainable: true },
    { count: 3, bias: true, trainable: true },
    { count: 2, bias: false, trainable: false },
  ])("are what they are apart: $count, bias $bias, trained $trainable", ({ count, bias, trainable }) => {
    implementKernel({
      contract: linearPair,
      backend: "cpu",
      run: ({ inputs }) => [...linearPair.reference(inputs as never, {})],
    });
    const name = `${count}-${bias}-${trainable}`;
    const linears = Array.from(
      { length: count },
      (_, i) => new Linear(builder, `${name}.${i}`, { inFeatures: 4, outFeatures: 2 + i, bias }),
    );
    set.setTrainable(trainable);
    const [one, other] = together(linears);
    expect(one).toEqual(other);
    tf.unregisterKernel(linearPair.name, "cpu");
  });
});

describe("a packed weight", () => {
  const [inFeatures, outFeatures] = [32, 5];
  const x = Float32Array.from({ length: 3 * inFeatures }, (_, i) => Math.sin(i));
  const weight = randomValues(2, { weight: 0.5 })("w", [outFeatures, inFeatures], "weight");
  const storages = ["bf16", "f16", "q8_0", "q4_1"] as const;

  function build(source: ValueSource): { set: ParameterSet; fc: Linear } {
    const set = new ParameterSet();
    return { set, fc: new Linear(new Builder(set, source), "fc", { inFeatures, outFeatures, bias: true }) };
  }

  it.each(storages)(
    "gives the outputs and gradients of its float32 values, the bias's too (%s)",
    (storage) => {
      const words = packers[storage](weight);
      const plain = unpack(storage, words, weight.length);
      const values = (_: string, __: readonly number[], role: Role) =>
        role === "bias" ? new Float32Array(outFeatures).fill(0.5) : plain;
      const packed = build(Object.assign(values.bind(null), { packed: () => ({ storage, words }) }));
      const whole = build(values);
      const run = ({ fc }: { fc: Linear }, bias: boolean) => {
        if (fc.bias !== null) fc.bias.trainable = bias;
        const input = tf.tensor2d(x, [3, inFeatures]);
        const sources = [input, ...(bias && fc.bias !== null ? [fc.bias.value] : [])];
        const { value, gradients } = valueAndGradients(
          () => tf.sum(tf.square(fc.call(input, "silu"))) as tf.Scalar,
          sources,
        );
        const still = fc.call(input, "silu");
        return [value, still, ...gradients].flatMap((tensor) => [...tensor.dataSync()]);
      };
      whole.fc.weight.trainable = false;
      for (const bias of [true, false]) {
        const expected = run(whole, bias);
        const found = run(packed, bias);
        expect(found.length).toBe(expected.length);
        for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 4);
      }
      expect(packed.fc.weight.storage).toBe(storage);
      packed.set.dispose();
      whole.set.dispose();
    },
  );
});

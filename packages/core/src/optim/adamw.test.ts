import "@tensorflow/tfjs-backend-cpu";

import { readFileSync } from "node:fs";

import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { type AdamwAttrs, type AdamwInput, adamw } from "../kernels/adamw.js";
import { type MomentStorage, momentStorages, unpackMoment } from "../kernels/moments.js";
import { setFallback } from "../kernels/run.js";
import { Parameter } from "../parameters.js";
import { decodeTensors } from "../train/state.js";
import { createOptimizer } from "./adamw.js";
import { clipFactor, globalNorm } from "./clip.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

const golden = (name: string) => new URL(`../../../../golden/ops/${name}`, import.meta.url);
const { cases } = JSON.parse(readFileSync(golden("index.json"), "utf8")) as { cases: GoldenCase[] };

interface GoldenCase {
  readonly name: string;
  readonly op: string;
  readonly file: string;
  readonly max_norm: number;
  readonly tol: Readonly<Record<string, number>>;
  readonly options: { lr: number; betas: [number, number]; eps: number; weight_decay: number };
}

function load({ file }: GoldenCase) {
  const { tensors } = decodeTensors(readFileSync(golden(file)), file);
  return (name: string) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`${file} lacks ${name}`);
    return tensor;
  };
}

function worst(actual: ArrayLike<number>, expected: Float32Array): number {
  return Math.max(...Array.from(expected, (value, i) => Math.abs(value - (actual[i] as number))));
}

/** A parameter of two values with gradient [3, 4]. */
function makeTiny(
  options: { maxNorm?: number; weightDecay?: number; shape?: number[]; moments?: MomentStorage } = {},
) {
  const parameter = new Parameter("w", new Float32Array([1, -1]), options.shape ?? [2]);
  const { maxNorm = 0, weightDecay = 0, moments = "float32" } = options;
  const group = { name: "g", parameters: [parameter], learningRate: 0.1, weightDecay };
  return { parameter, optimizer: createOptimizer({ groups: [group], maxNorm, moments }) };
}

/** A body for the stock cpu backend that writes into its inputs and returns the same buffers. */
function registerAdamwInPlace(): { calls: number } {
  const counter = { calls: 0 };
  tf.registerKernel({
    kernelName: "BasicAdamw",
    backendName: "cpu",
    kernelFunc: ({ inputs, attrs, backend }) => {
      counter.calls++;
      const cpu = backend as unknown as tf.KernelBackend;
      const named = inputs as Readonly<Record<AdamwInput, tf.TensorInfo>>;
      const wrapped = Object.fromEntries(
        Object.entries<tf.TensorInfo>(named).map(([name, { dataId, shape }]) => [
          name,
          tf.tensor((cpu.readSync(dataId) as Float32Array).slice(), shape),
        ]),
      ) as Parameters<typeof adamw.reference>[0];
      const outputs = adamw.reference(wrapped, attrs as unknown as AdamwAttrs);
      const targets = (["parameter0", "m0", "v0"] as const).flatMap((name) => named[name] ?? []);
      for (const [i, target] of targets.entries()) {
        (cpu.readSync(target.dataId) as Float32Array).set((outputs[i] as tf.Tensor).dataSync());
        cpu.incRef(target.dataId);
      }
      tf.dispose([wrapped, [...outputs]]);
      return targets.map(({ dataId, shape }) => ({ dataId, shape, dtype: "float32" as const }));
    },
  });
  return counter;
}

describe("createOptimizer", () => {
  it.each(cases.filter(({ op }) => op === "adamw"))("follows PyTorch's AdamW: $name", async (recorded) => {
    const { lr, betas, eps, weight_decay: weightDecay } = recorded.options;
    const tensor = load(recorded);
    const { shape, values } = tensor("in.param");
    const parameter = new Parameter("w", values, shape);
    const group = { name: "g", parameters: [parameter], learningRate: lr, weightDecay };
    const optimizer = createOptimizer({ groups: [group], betas, epsilon: eps, decays: () => true });
    const steps = tensor("in.grads").shape[0] as number;
    for (let step = 0; step < steps; step++) {
      const at = (array: Float32Array) => array.subarray(step * values.length, (step + 1) * values.length);
      const gradient = tf.tensor(at(tensor("in.grads").values), [...shape]);
      optimizer.update([gradient], { rate: 1 }).norm.dispose();
      const expected = at(tensor("out.params").values);
      expect(worst(await parameter.value.data(), expected)).toBeLessThanOrEqual(
        recorded.tol["out.params"] as number,
      );
    }
    const { first, second } = await optimizer.exportState();
    expect(worst(first.get("g/w") ?? [], tensor("out.exp_avg").values)).toBeLessThanOrEqual(
      recorded.tol["out.exp_avg"] as number,
    );
    expect(worst(second.get("g/w") ?? [], tensor("out.exp_avg_sq").values)).toBeLessThanOrEqual(
      recorded.tol["out.exp_avg_sq"] as number,
    );
  });

  it("decays tensors with two or more dimensions only", async () => {
    const vector = makeTiny({ weightDecay: 0.5 });
    const matrix = makeTiny({ weightDecay: 0.5, shape: [1, 2] });
    vector.optimizer.update([tf.zeros([2])], { rate: 1 });
    matrix.optimizer.update([tf.zeros([1, 2])], { rate: 1 });
    expect([...(await vector.parameter.value.data())]).toEqual([1, -1]);
    expect((await matrix.parameter.value.data())[0]).toBeCloseTo(0.95, 6);
  });

  it("reports the norm before clipping", async () => {
    const { optimizer } = makeTiny({ maxNorm: 1 });
    const { norm } = optimizer.update([tf.tensor([3, 4])], { rate: 1 });
    expect((await norm.data())[0]).toBeCloseTo(5, 5);
    const { first } = await optimizer.exportState();
    expect(first.get("g/w")?.[0]).toBeCloseTo(0.06, 5);
  });

  it.each([
    ["a gradient of NaN", [Number.NaN, 0], 1],
    ["an infinite gradient", [Number.POSITIVE_INFINITY, 0], 1],
    ["a loss of NaN", [0, 0], Number.NaN],
  ])("stops changing anything after %s, and remembers when", async (_, gradient, loss) => {
    const { optimizer, parameter } = makeTiny({ maxNorm: 1 });
    optimizer.update([tf.tensor([3, 4])], { rate: 1, loss: tf.scalar(1) });
    expect(await optimizer.health()).toEqual({ finite: true, finiteSteps: 1 });
    const before = [...(await parameter.value.data())];
    const { first } = await optimizer.exportState();
    optimizer.update([tf.tensor(gradient)], { rate: 1, loss: tf.scalar(loss) });
    optimizer.update([tf.tensor([3, 4])], { rate: 1, loss: tf.scalar(1) });
    expect(await optimizer.health()).toEqual({ finite: false, finiteSteps: 1 });
    expect([...(await parameter.value.data())]).toEqual(before);
    expect((await optimizer.exportState()).first).toEqual(first);
  });

  it.each(momentStorages)("goes on bit for bit from an exported state of %s moments", async (moments) => {
    const [left, right] = [makeTiny({ maxNorm: 1, moments }), makeTiny({ maxNorm: 1, moments })];
    const gradients = [0, 1, 2, 3].map((i) => tf.tensor([Math.sin(i), Math.cos(i)]));
    for (const gradient of gradients.slice(0, 2)) left.optimizer.update([gradient], { rate: 0.3 });
    right.parameter.assign(tf.clone(left.parameter.value));
    right.optimizer.importState(await left.optimizer.exportState());
    for (const gradient of gradients.slice(2)) {
      left.optimizer.update([gradient], { rate: 0.3 });
      right.optimizer.update([gradient], { rate: 0.3 });
    }
    expect(await right.parameter.value.data()).toEqual(await left.parameter.value.data());
    expect(await right.optimizer.exportState()).toEqual(await left.optimizer.exportState());
  });

  it("does the same with a backend that updates in place", async () => {
    const run = async () => {
      const before = tf.memory().numTensors;
      const { optimizer, parameter } = makeTiny({ maxNorm: 1 });
      for (const values of [
        [3, 4],
        [-1, 2],
      ]) {
        const gradient = tf.tensor(values);
        tf.dispose([optimizer.update([gradient], { rate: 1 }).norm, gradient]);
      }
      const result = { weights: [...(await parameter.value.data())], state: await optimizer.exportState() };
      optimizer.dispose();
      parameter.dispose();
      expect(tf.memory().numTensors).toBe(before);
      return result;
    };
    const expected = await run();
    const inPlace = registerAdamwInPlace();
    try {
      expect(await run()).toEqual(expected);
      expect(inPlace.calls).toBe(2);
    } finally {
      tf.unregisterKernel("BasicAdamw", "cpu");
    }
  });

  it("leaks no tensors", () => {
    const before = tf.memory().numTensors;
    const { optimizer, parameter } = makeTiny({ maxNorm: 1 });
    const [gradient, loss] = [tf.tensor([3, 4]), tf.scalar(1)];
    const { norm } = optimizer.update([gradient], { rate: 1, loss });
    tf.dispose([norm, gradient, loss]);
    optimizer.dispose();
    parameter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("names a gradient that does not fit", () => {
    const { optimizer } = makeTiny();
    expect(() => optimizer.update([], { rate: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Optimizer: got 0 gradients for 1 parameters. Pass one per parameter, in the order of \`parameters\`. [E_SHAPE]]`,
    );
    expect(() => optimizer.update([tf.zeros([3])], { rate: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Optimizer: the gradient of "w" has shape [3], expected [2]. Pass one per parameter, in the order of \`parameters\`. [E_SHAPE]]`,
    );
  });

  it("says how to go on from moments that are stored in another way", async () => {
    const state = await makeTiny().optimizer.exportState();
    const { optimizer } = makeTiny({ moments: "bfloat16" });
    expect(() => optimizer.importState(state)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The checkpoint holds moments in float32, but the optimizer was asked to store them in bfloat16. Resume with \`moments: "float32"\`, or start a new run in another folder. [E_RESUME_CHANGED]]`,
    );
  });

  it.each(["bfloat16", "int8"] as const)(
    "forgets a large gradient with %s moments, which rounding to nearest would not",
    async (moments) => {
      const parameter = new Parameter("w", new Float32Array(512), [512]);
      const groups = [{ name: "g", parameters: [parameter], learningRate: 0 }];
      const optimizer = createOptimizer({ groups, moments });
      const gradient = tf.ones([512]);
      const none = tf.tensor1d([1, ...new Array<number>(511).fill(0)]);
      optimizer.update([gradient], { rate: 1 });
      for (let step = 0; step < 500; step++) optimizer.update([none], { rate: 1 });
      const { second } = await optimizer.exportState();
      const words = second.get("g/w") as Int32Array;
      const values = unpackMoment({ storage: moments, second: true }, words, 512).slice(1);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      // 0.001 · 0.999^500.
      expect(mean / (0.001 * 0.999 ** 500)).toBeCloseTo(1, 1);
    },
  );

  it("refuses the state of another model", async () => {
    const { optimizer } = makeTiny();
    const state = await optimizer.exportState();
    expect(() => optimizer.importState({ ...state, first: new Map() })).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The first moment of "g/w" has no values, expected 2. The checkpoint belongs to another model; resume with the recipe that wrote it. [E_CHECKPOINT_CORRUPT]]`,
    );
  });
});

describe("clipFactor", () => {
  it.each(cases.filter(({ op }) => op === "clip_grad_norm"))("follows PyTorch: $name", async (recorded) => {
    const tensor = load(recorded);
    const gradients = ["in.0", "in.1"].map((name) => tf.tensor(tensor(name).values));
    const norm = globalNorm(gradients);
    expect(worst(await norm.data(), tensor("out.norm").values)).toBeLessThanOrEqual(
      recorded.tol["out.norm"] as number,
    );
    const factor = clipFactor(norm, recorded.max_norm);
    const clipped = tf.mul(gradients[0] as tf.Tensor, factor);
    expect(worst(await clipped.data(), tensor("out.0").values)).toBeLessThanOrEqual(
      recorded.tol["out.0"] as number,
    );
  });

  it("is 1 where clipping is off", async () => {
    expect((await clipFactor(tf.scalar(100), 0).data())[0]).toBe(1);
  });
});

import { readFileSync } from "node:fs";
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { type CheckedInput, gradientError } from "../test/central-differences.js";
import { registerStockGradients, stockGradients } from "./gradients.js";

type Check = readonly [
  title: string,
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  ...shapes: (number[] | CheckedInput)[],
];

const positive: CheckedInput = { shape: [2, 3], values: [0.5, 1, 1.5, 2, 3, 0.25] };
const apart: CheckedInput = { shape: [2, 3], values: [0.9, -0.7, 0.3, -0.1, 0.5, -1.3] };

/** Keyed by kernel: a gradient without a check here fails the last test. */
const checks: Readonly<Record<string, readonly Check[]>> = {
  Add: [
    ["one shape", (a, b) => tf.add(a, b), [2, 3], [2, 3]],
    ["a row", (a, b) => tf.add(a, b), [2, 3], [3]],
    ["a scalar and a column", (a, b) => tf.add(a, b), [], [4, 1]],
  ],
  AddN: [["three terms", (a, b, c) => tf.addN([a, b, c]), [2, 3], [2, 3], [2, 3]]],
  Sub: [["a column and a row", (a, b) => tf.sub(a, b), [4, 1], [1, 3]]],
  Multiply: [
    ["one shape", (a, b) => tf.mul(a, b), [2, 3], [2, 3]],
    ["a column and a row", (a, b) => tf.mul(a, b), [4, 1], [3]],
    ["a value by itself", (a) => tf.mul(a, a), [2, 3]],
  ],
  RealDiv: [
    ["one shape", (a, b) => tf.div(a, b), [2, 3], positive],
    ["a row by a matrix", (a, b) => tf.div(a, b), [3], positive],
  ],
  Maximum: [
    ["a matrix and a row", (a, b) => tf.maximum(a, b), apart, { shape: [3], values: [0, 0.05, 0.4] }],
  ],
  Minimum: [
    ["a matrix and a row", (a, b) => tf.minimum(a, b), apart, { shape: [3], values: [0, 0.05, 0.4] }],
  ],
  Identity: [["a matrix", (x) => tf.mul(tf.clone(x), x), [2, 3]]],
  Neg: [["a matrix", (x) => tf.neg(x), [2, 3]]],
  Cast: [["a matrix", (x) => tf.cast(tf.mul(x, x), "float32"), [2, 3]]],
  Exp: [["a matrix", (x) => tf.exp(x), [2, 3]]],
  Log: [["positive values", (x) => tf.log(x), positive]],
  Sqrt: [["positive values", (x) => tf.sqrt(x), positive]],
  Rsqrt: [["positive values", (x) => tf.rsqrt(x), positive]],
  Square: [["a matrix", (x) => tf.square(x), [2, 3]]],
  Abs: [["values apart from 0", (x) => tf.abs(x), apart]],
  Sigmoid: [["a matrix", (x) => tf.sigmoid(x), [2, 3]]],
  Tanh: [["a matrix", (x) => tf.tanh(x), [2, 3]]],
  Erf: [["a matrix", (x) => tf.erf(x), [2, 3]]],
  Relu: [["values apart from 0", (x) => tf.relu(x), apart]],
  ClipByValue: [["values inside and outside", (x) => tf.clipByValue(x, -0.5, 0.4), apart]],
  Select: [
    ["a mask from elsewhere", (a, b) => tf.where(tf.tensor([1, 0, 1], [3], "bool"), a, b), [2, 3], [3]],
    ["a mask from the value", (a, b) => tf.where(tf.greater(a, 0), a, b), apart, [2, 3]],
  ],
  Sum: [
    ["everything", (x) => tf.sum(tf.square(x)), [2, 3]],
    ["rows, kept", (x) => tf.sum(x, -1, true), [2, 3, 4]],
    ["two axes", (x) => tf.sum(x, [0, 2]), [2, 3, 4]],
  ],
  Mean: [
    ["everything", (x) => tf.mean(tf.square(x)), [2, 3]],
    ["columns", (x) => tf.mean(x, 0), [2, 3]],
    ["rows, kept", (x) => tf.mean(x, -1, true), [2, 3]],
  ],
  Max: [
    ["rows", (x) => tf.max(x, -1), apart],
    ["everything", (x) => tf.max(x), apart],
    ["columns, kept", (x) => tf.max(x, 0, true), apart],
  ],
  Min: [["rows", (x) => tf.min(x, -1), apart]],
  Softmax: [["rows", (x) => tf.softmax(x), [3, 4]]],
  LogSoftmax: [
    ["rows, by the op", (x) => tf.logSoftmax(x), [3, 4]],
    ["rows, by the kernel", (x) => runLogSoftmax(x), [3, 4]],
  ],
  BatchMatMul: [
    ...[false, true].flatMap((left) =>
      [false, true].map(
        (right): Check => [
          `2-D, transposed ${left} ${right}`,
          (a, b) => tf.matMul(a, b, left, right),
          left ? [3, 2] : [2, 3],
          right ? [4, 3] : [3, 4],
        ],
      ),
    ),
    ...[false, true].flatMap((left) =>
      [false, true].map(
        (right): Check => [
          `3-D, transposed ${left} ${right}`,
          (a, b) => tf.matMul(a, b, left, right),
          left ? [2, 3, 2] : [2, 2, 3],
          right ? [2, 4, 3] : [2, 3, 4],
        ],
      ),
    ),
    ["a batch by one matrix", (a, b) => tf.matMul(a, b), [2, 2, 3], [3, 4]],
  ],
  Reshape: [["a matrix", (x) => tf.reshape(tf.square(x), [3, 2]), [2, 3]]],
  ExpandDims: [["a matrix", (x) => tf.expandDims(tf.square(x), 1), [2, 3]]],
  Slice: [
    ["an inner block", (x) => tf.slice(x, [1, 0], [2, 2]), [4, 3]],
    ["to the end", (x) => tf.slice(x, [1, 1], [-1, -1]), [4, 3]],
    ["leading axes only", (x) => tf.slice(x, [1], [2]), [4, 3]],
  ],
  PadV2: [
    [
      "both axes",
      (x) =>
        tf.pad(x, [
          [1, 0],
          [0, 2],
        ]),
      [2, 3],
    ],
  ],
  Tile: [
    ["both axes", (x) => tf.tile(x, [3, 2]), [2, 3]],
    ["a broadcast row", (x) => tf.broadcastTo(x, [4, 3]), [1, 3]],
    ["the middle axis", (x) => tf.tile(x, [1, 3, 1]), [2, 2, 2]],
  ],
  Transpose: [
    ["2-D", (x) => tf.transpose(x), [2, 3]],
    ["a cycle of axes", (x) => tf.transpose(x, [1, 2, 0]), [2, 3, 4]],
  ],
  Concat: [
    ["rows", (a, b) => tf.concat([a, b], 0), [2, 3], [1, 3]],
    ["the last axis", (a, b, c) => tf.concat([a, b, c], -1), [2, 3], [2, 1], [2, 2]],
  ],
  Pack: [
    ["first axis", (a, b) => tf.stack([a, b]), [2, 3], [2, 3]],
    ["last axis", (a, b) => tf.stack([a, b], -1), [2, 3], [2, 3]],
  ],
  Unpack: [
    ["every piece", (x) => tf.addN(tf.unstack(x).map((row, i) => tf.mul(row, i + 1))), [3, 2]],
    ["one piece of one", (x) => tf.unstack(tf.square(x))[0] as tf.Tensor, [1, 2]],
  ],
  SplitV: [
    ["two pieces", (x) => tf.mul(...(tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor])), [2, 4]],
    ["one piece", (x) => tf.split(tf.square(x), 1, 1)[0] as tf.Tensor, [2, 3]],
  ],
  GatherV2: [
    ["rows, one twice", (x) => tf.gather(x, tf.tensor1d([2, 0, 2], "int32")), [4, 3]],
    [
      "rows by a matrix of indices",
      (x) =>
        tf.gather(
          x,
          tf.tensor2d(
            [
              [2, 0],
              [1, 2],
            ],
            [2, 2],
            "int32",
          ),
        ),
      [4, 3],
    ],
    ["values", (x) => tf.gather(x, tf.tensor1d([1, 1, 3], "int32")), [4]],
  ],
};

/** Kernels whose gradient is 0 everywhere: multiplying by `a` keeps them on the tape. */
const steps: Readonly<Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>> = {
  Greater: (a, b) => tf.greater(a, b),
  GreaterEqual: (a, b) => tf.greaterEqual(a, b),
  Less: (a, b) => tf.less(a, b),
  LessEqual: (a, b) => tf.lessEqual(a, b),
  Equal: (a, b) => tf.equal(a, b),
  NotEqual: (a, b) => tf.notEqual(a, b),
  LogicalAnd: (a, b) => tf.logicalAnd(tf.greater(a, 0), tf.less(b, 0.5)),
  LogicalOr: (a, b) => tf.logicalOr(tf.greater(a, 0), tf.less(b, 0.5)),
  LogicalNot: (a) => tf.logicalNot(tf.greater(a, 0)),
  ZerosLike: (a) => tf.zerosLike(a),
  OnesLike: (a) => tf.onesLike(a),
};

beforeAll(async () => {
  expect(await tf.setBackend("cpu")).toBe(true);
  registerStockGradients();
});

describe.each(Object.entries(checks))("the gradient of %s", (_kernel, cases) => {
  it.each(cases.map(([title, f, ...inputs]) => ({ title, f, inputs })))(
    "is the slope for $title",
    ({ f, inputs }) => {
      const specs = inputs.map((input) => (Array.isArray(input) ? { shape: input } : input));
      // Central differences with a step of 1e-5 in double precision are good to about 1e-9; the stock erf to 1e-6.
      expect(gradientError(f, specs)).toBeLessThan(2e-6);
    },
  );
});

it.each(Object.entries(steps))("%s stops no gradient and has none", (_kernel, step) => {
  const f = (a: tf.Tensor, b: tf.Tensor) => tf.mul(tf.mul(tf.cast(step(a, b), "float32"), a), b);
  expect(gradientError(f, [apart, { shape: [2, 3], values: [0.1, 0.2, 0.4, 0.3, -0.2, 0.7] }])).toBeLessThan(
    1e-8,
  );
});

describe("registerStockGradients", () => {
  it("has a check here for every gradient", () => {
    const names = stockGradients.map(({ kernel }) => kernel);
    expect(names.filter((name) => checks[name] === undefined && steps[name] === undefined)).toEqual([]);
  });

  it("has the gradients that the page on losses lists", () => {
    const page = readFileSync(new URL("../../../docs/writing-a-loss.md", import.meta.url), "utf8");
    const section = page.split("## Operations with a gradient")[1]?.split("\n\n")[2] ?? "";
    const listed = [...section.matchAll(/`(\w+)`/g)].map(([, name]) => name as string);
    expect(listed.filter((name) => typeof Reflect.get(tf, name) !== "function")).toEqual([]);
    const kernels = stockGradients.map(({ kernel }) => FUNCTIONS[kernel] ?? lowerFirst(kernel));
    expect(listed.sort()).toEqual(kernels.sort());
  });

  it("leaves a gradient alone that somebody registered before", () => {
    const before: unknown = tf.getGradient("Add");
    registerStockGradients();
    expect(tf.getGradient("Add")).toBe(before);
  });

  it("gives every place that reaches the maximum the whole gradient", () => {
    const gradient = tf.grad((x) => tf.max(x))(tf.tensor1d([1, 2, 2]));
    expect(Array.from(gradient.dataSync())).toEqual([0, 1, 1]);
  });

  it("names the axis that gather cannot be differentiated along", () => {
    const gather = (x: tf.Tensor) => tf.gather(x, tf.tensor1d([0], "int32"), 1);
    expect(() => tf.grad(gather)(tf.ones([2, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: gather: there is a gradient along axis 0 without batch dimensions only, got axis 1 and batchDims 0. Transpose first. [E_NO_GRADIENT]]`,
    );
  });

  it("leaks no tensors", () => {
    const before = tf.memory().numTensors;
    gradientError((a, b) => tf.softmax(tf.matMul(a, b)), [{ shape: [2, 3] }, { shape: [3, 2] }]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

/** Functions of tfjs whose kernel has another name. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  Multiply: "mul",
  RealDiv: "div",
  Identity: "clone",
  Select: "where",
  PadV2: "pad",
  Pack: "stack",
  Unpack: "unstack",
  SplitV: "split",
  GatherV2: "gather",
  BatchMatMul: "matMul",
};

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** No stock backend has this kernel yet; tfjs announces it. */
function runLogSoftmax(logits: tf.Tensor): tf.Tensor {
  const present: unknown = tf.getKernel("LogSoftmax", "cpu");
  if (present === undefined) {
    const kernelFunc: tf.KernelFunc = ({ inputs }) => tf.logSoftmax(inputs["logits"] as tf.Tensor);
    tf.registerKernel({ kernelName: "LogSoftmax", backendName: "cpu", kernelFunc });
  }
  return tf.engine().runKernel("LogSoftmax", { logits }, { axis: 1 }) as tf.Tensor;
}

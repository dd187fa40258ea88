import {
  type Attributes,
  type KernelCase,
  type KernelContract,
  runKernel,
  type Tolerance,
  valueAndGradients,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { describeDifference, worstDifference } from "./compare.js";
import { inFloat64 } from "./float64.js";
import { type HostTensor, hostTensor } from "./random-values.js";

/** A case of any contract. */
export type AnyCase = KernelCase<string, Attributes>;

type Tensors = Readonly<Record<string, tf.Tensor>>;

/** What a case must give, in double precision. */
interface Expected {
  readonly outputs: readonly Float64Array[];
  readonly shapes: readonly (readonly number[])[];
  /** One per differentiable input. */
  readonly gradients: readonly Float64Array[];
}

/** A gradient chains the roundings of a forward and a backward pass, each with sums over rows. */
const GRADIENT_FACTOR = 8;

/** Sums over rows round even where the forward pass is an exact copy. */
const GRADIENT_FLOOR = 1e-6;

/**
 * Runs one case on the current backend: outputs, gradient by our reverse pass (all inputs, and the first one alone),
 * gradient by tfjs's own, leaks.
 *
 * The gradient is that of `Σ output₀ · cotangent`: the first output is the one that carries a gradient.
 *
 * @returns One line per failure; empty when all is well.
 */
export async function checkCase(contract: KernelContract, testCase: AnyCase, factor = 1): Promise<string[]> {
  const host = Object.fromEntries(
    contract.inputs.map((name) => [
      name,
      hostTensor(specOf(contract, testCase, name), `${contract.name}/${testCase.title}/${name}`),
    ]),
  );
  const shapes = contract.infer(shapesOf(host), testCase.attrs);
  const cotangent = hostTensor({ shape: shapes[0] ?? [] }, `${contract.name}/${testCase.title}/cotangent`);
  const { absolute, relative } = testCase.tolerance ?? contract.tolerance;
  const tolerance = { absolute: absolute * factor, relative: relative * factor };
  const call: Call = { contract, attrs: testCase.attrs, host, cotangent, tolerance };
  const expected = evaluate(call, shapes);
  const checks: Record<string, () => Promise<readonly (string | undefined)[]>> = {
    forward: () => checkForward(call, expected),
    ...(contract.gradient !== null && {
      gradient: () => checkGradients(call, expected, contract.differentiable, ownGradients),
      "gradient by the stock tape": () =>
        checkGradients(call, expected, contract.differentiable, stockGradients),
    }),
    ...(contract.differentiable.length > 1 && {
      "gradient of the first input alone": () =>
        checkGradients(call, expected, contract.differentiable.slice(0, 1), ownGradients),
    }),
  };
  const failures: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    const lines = await withoutLeak(check);
    failures.push(...lines.map((line) => `${name}: ${line}`));
  }
  return failures;
}

interface Call {
  readonly contract: KernelContract;
  readonly attrs: Attributes;
  readonly host: Readonly<Record<string, HostTensor>>;
  readonly cotangent: HostTensor;
  readonly tolerance: Tolerance;
}

function specOf(contract: KernelContract, testCase: AnyCase, name: string) {
  const spec = testCase.inputs[name];
  if (spec === undefined)
    throw new Error(`Case "${testCase.title}" of ${contract.name} has no input ${name}.`);
  return spec;
}

function evaluate(call: Call, shapes: Expected["shapes"]): Expected {
  const { contract, attrs } = call;
  const differentiable = contract.gradient === null ? [] : contract.differentiable;
  const values = inFloat64(() => {
    const inputs = upload(call.host);
    const outputs = contract.reference(inputs, attrs);
    if (differentiable.length === 0) return outputs;
    const loss = () => project(contract.reference(inputs, attrs), toTensor(call.cotangent));
    const { gradients } = valueAndGradients(loss, pick(inputs, differentiable));
    return [...outputs, ...gradients];
  });
  const outputs = values.slice(0, values.length - differentiable.length);
  return { outputs, shapes, gradients: values.slice(outputs.length) };
}

function gradientTolerance({ absolute, relative }: Tolerance): Tolerance {
  return { absolute: GRADIENT_FACTOR * absolute, relative: GRADIENT_FACTOR * relative + GRADIENT_FLOOR };
}

async function checkForward(
  { contract, attrs, host, tolerance }: Call,
  { outputs, shapes }: Expected,
): Promise<readonly (string | undefined)[]> {
  const inputs = upload(host);
  try {
    const actual = runKernel(contract, inputs, attrs);
    const lines = await Promise.all(
      actual.map(async (tensor, i) => {
        const label = `output ${i}`;
        if (tensor.shape.join() !== shapes[i]?.join())
          return `${label} has shape [${tensor.shape}], expected [${shapes[i]}]`;
        // Integers are packed values: all of their bits count.
        const allowed = tensor.dtype === "int32" ? { absolute: 0, relative: 0 } : tolerance;
        const difference = worstDifference(await tensor.data(), outputs[i] ?? [], allowed);
        return describeDifference(label, difference);
      }),
    );
    tf.dispose([...actual]);
    const missing = outputs.length - actual.length;
    return missing === 0 ? lines : [...lines, `gives ${actual.length} outputs, expected ${outputs.length}`];
  } finally {
    tf.dispose({ ...inputs });
  }
}

type Differentiate = (
  call: Call,
  inputs: Tensors,
  names: readonly string[],
  cotangent: tf.Tensor,
) => readonly tf.Tensor[];

async function checkGradients(
  call: Call,
  expected: Expected,
  names: readonly string[],
  differentiate: Differentiate,
): Promise<readonly (string | undefined)[]> {
  const inputs = upload(call.host);
  const cotangent = toTensor(call.cotangent);
  try {
    const actual = differentiate(call, inputs, names, cotangent);
    const lines = await Promise.all(
      actual.map(async (tensor, i) => {
        const shape = inputs[names[i] ?? ""]?.shape.join();
        if (tensor.shape.join() !== shape)
          return `d${names[i]} has shape [${tensor.shape}], expected [${shape}]`;
        const gradient = expected.gradients[i] ?? [];
        return describeDifference(
          `d${names[i]}`,
          worstDifference(await tensor.data(), gradient, gradientTolerance(call.tolerance)),
        );
      }),
    );
    tf.dispose([...actual]);
    return lines;
  } finally {
    tf.dispose([...Object.values(inputs), cotangent]);
  }
}

function ownGradients(
  call: Call,
  inputs: Tensors,
  names: readonly string[],
  cotangent: tf.Tensor,
): readonly tf.Tensor[] {
  const loss = () => project(runKernel(call.contract, inputs, call.attrs), cotangent);
  const { value, gradients } = valueAndGradients(loss, pick(inputs, names));
  value.dispose();
  return gradients;
}

function stockGradients(
  call: Call,
  inputs: Tensors,
  names: readonly string[],
  cotangent: tf.Tensor,
): readonly tf.Tensor[] {
  const loss = () => project(runKernel(call.contract, inputs, call.attrs), cotangent);
  const tensors = pick(inputs, names);
  // What tf.grads calls, without its refusal of an input that the result does not depend on.
  const stock: { value: tf.Tensor; grads: (tf.Tensor | undefined)[] } = tf
    .engine()
    .gradients(loss, tensors, undefined, true);
  stock.value.dispose();
  return tensors.map((tensor, i) => stock.grads[i] ?? tf.zerosLike(tensor));
}

function project(outputs: readonly tf.Tensor[], cotangent: tf.Tensor): tf.Scalar {
  return tf.sum(tf.mul(outputs[0] as tf.Tensor, cotangent)) as tf.Scalar;
}

async function withoutLeak(check: () => Promise<readonly (string | undefined)[]>): Promise<string[]> {
  const before = tf.memory();
  const lines = await check().catch((error: unknown) => [
    error instanceof Error ? error.message : String(error),
  ]);
  const after = tf.memory();
  const [tensors, buffers] = [
    after.numTensors - before.numTensors,
    after.numDataBuffers - before.numDataBuffers,
  ];
  const leak = tensors === 0 && buffers === 0 ? undefined : `leaks ${tensors} tensors and ${buffers} buffers`;
  return [...lines, leak].filter((line) => line !== undefined);
}

function upload(host: Call["host"]): Tensors {
  return Object.fromEntries(Object.entries(host).map(([name, value]) => [name, toTensor(value)]));
}

function toTensor({ shape, values, dtype }: HostTensor): tf.Tensor {
  return tf.tensor([...values], [...shape], dtype);
}

function pick(tensors: Tensors, names: readonly string[]): tf.Tensor[] {
  return names.map((name) => tensors[name] as tf.Tensor);
}

function shapesOf(host: Call["host"]): Record<string, readonly number[]> {
  return Object.fromEntries(Object.entries(host).map(([name, { shape }]) => [name, shape]));
}

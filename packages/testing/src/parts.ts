import { type Parameter, type ParameterSet, setFallback, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { describeDifference, worstDifference } from "./compare.js";
import { inFloat64 } from "./float64.js";
import { type HostTensor, normalValues } from "./random-values.js";

export type { HostTensor } from "./random-values.js";

/** Host tensors by name; parameters of a part are named `parameters/NAME`. */
export type HostTensors = Readonly<Record<string, HostTensor>>;

/** Tensors by name. */
export type Tensors = Readonly<Record<string, tf.Tensor>>;

/** A model part whose gradient is checked. */
export interface Part {
  readonly parameters?: ParameterSet;
}

/** A scalar function of named tensors and of a part's parameters. */
export interface ScalarFunction<P extends Part> {
  readonly create: () => P;
  readonly values: HostTensors;
  readonly loss: (part: P, tensors: Tensors) => tf.Scalar;
}

const PREFIX = "parameters/";

/** The step of a central difference: rounding and curvature are both below 1e-9 there. */
const STEP = 1e-5;

/** What a float32 device may be off by, over a whole loss or model. */
const DEVICE_TOLERANCE = { absolute: 1e-4, relative: 1e-3 };

/** Runs the stock cpu backend with the references of the contracts: where suites of parts run by default. */
export async function startStockCpu(): Promise<void> {
  setFallback("reference");
  await tf.setBackend("cpu");
}

/** Float32 tensor with normal values times `scale`. */
export function normalTensor(shape: readonly number[], seed: string, scale = 1): HostTensor {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, values: normalValues(size, seed, scale), dtype: "float32" };
}

/** Makes the tensor on the current backend. */
export function upload({ shape, values, dtype }: HostTensor): tf.Tensor {
  return tf.tensor([...values], [...shape], dtype);
}

/** Makes all tensors on the current backend. */
export function uploadAll(values: HostTensors): Record<string, tf.Tensor> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, upload(value)]));
}

/** Values for every parameter of a part, none of them 0: a fresh part may have zeros that hide a gradient. */
export function parameterValues(parameters: ParameterSet | undefined, seed: string): HostTensors {
  return Object.fromEntries(
    [...(parameters ?? [])].map(({ name, shape }) => [
      PREFIX + name,
      normalTensor(shape, `${seed}/${name}`, 0.4),
    ]),
  );
}

/** Gives the part its own copies of the values. */
export function assignParameters(parameters: ParameterSet | undefined, values: HostTensors): void {
  for (const parameter of parameters ?? []) {
    const value = values[PREFIX + parameter.name];
    if (value !== undefined) parameter.assign(upload(value));
  }
}

/** Whether the gradient of `names` is the slope of the loss along a random direction, in double precision. */
export function checkSlopes<P extends Part>(fn: ScalarFunction<P>, names: readonly string[]): string[] {
  const gradients = evaluateGradients(fn, names);
  return names.flatMap((name, i) => {
    const value = fn.values[name] as HostTensor;
    const direction = normalValues(value.values.length, `${name}/direction`);
    const slope = direction.reduce((sum, d, j) => sum + d * (gradients[i]?.[j] ?? 0), 0);
    const [above, below] = [STEP, -STEP].map((step) => {
      const values = value.values.map((x, j) => x + step * (direction[j] as number));
      return evaluate({ ...fn, values: { ...fn.values, [name]: { ...value, values } } });
    }) as [number, number];
    const expected = (above - below) / (2 * STEP);
    const limit = 1e-6 * Math.max(1, Math.abs(expected));
    if (Math.abs(slope - expected) <= limit) return [];
    return [`the gradient of ${name} gives a slope of ${slope}, but the loss has ${expected}`];
  });
}

/** Names whose gradient is not 0 everywhere. */
export function namesWithGradient<P extends Part>(fn: ScalarFunction<P>, names: readonly string[]): string[] {
  const gradients = evaluateGradients(fn, names);
  return names.filter((_, i) => gradients[i]?.some((value) => value !== 0));
}

/** The value of the function in double precision. */
export function evaluate<P extends Part>(fn: ScalarFunction<P>): number {
  const [value] = inFloat64(() => [withPart(fn, (part, tensors) => fn.loss(part, tensors))]);
  return value?.[0] ?? Number.NaN;
}

/** Runs the function and its gradients on the current backend; returns what is off, leaks included. */
export async function checkOnDevice<P extends Part>(
  fn: ScalarFunction<P>,
  names: readonly string[],
): Promise<string[]> {
  const expected = [Float64Array.of(evaluate(fn)), ...evaluateGradients(fn, names)];
  const before = tf.memory();
  const results = withPart(fn, (part, tensors) => {
    const sources = sourcesOf(part, tensors, names);
    const { value, gradients } = valueAndGradients(() => fn.loss(part, tensors), sources);
    return [value, ...gradients];
  });
  const lines = await Promise.all(
    results.map(async (tensor, i) => {
      const difference = worstDifference(await tensor.data(), expected[i] ?? [], DEVICE_TOLERANCE);
      return describeDifference(i === 0 ? "loss" : `d ${names[i - 1]}`, difference);
    }),
  );
  tf.dispose([...results]);
  return [...lines, leakSince(before)].filter((line) => line !== undefined);
}

/** What was left behind, in words. */
export function leakSince(before: tf.MemoryInfo): string | undefined {
  const after = tf.memory();
  const [tensors, buffers] = [
    after.numTensors - before.numTensors,
    after.numDataBuffers - before.numDataBuffers,
  ];
  return tensors === 0 && buffers === 0 ? undefined : `leaks ${tensors} tensors and ${buffers} buffers`;
}

function evaluateGradients<P extends Part>(fn: ScalarFunction<P>, names: readonly string[]): Float64Array[] {
  return inFloat64(() =>
    withPart(fn, (part, tensors) => {
      const sources = sourcesOf(part, tensors, names);
      return valueAndGradients(() => fn.loss(part, tensors), sources).gradients;
    }),
  );
}

/** Makes the part and its inputs, and disposes both afterwards. */
function withPart<P extends Part, T>(
  { create, values }: ScalarFunction<P>,
  use: (part: P, tensors: Tensors) => T,
): T {
  const part = create();
  assignParameters(part.parameters, values);
  const tensors = uploadAll(
    Object.fromEntries(Object.entries(values).filter(([name]) => !name.startsWith(PREFIX))),
  );
  try {
    return use(part, tensors);
  } finally {
    tf.dispose({ ...tensors });
    part.parameters?.dispose();
  }
}

function sourcesOf(part: Part, tensors: Tensors, names: readonly string[]): tf.Tensor[] {
  const parameters = new Map<string, Parameter>(
    [...(part.parameters ?? [])].map((one) => [PREFIX + one.name, one]),
  );
  return names.map((name) => parameters.get(name)?.value ?? (tensors[name] as tf.Tensor));
}

import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

/** One input of a gradient check: a shape with made-up values, or values of its own. */
export interface CheckedInput {
  readonly shape: readonly number[];
  readonly values?: readonly number[];
  readonly scale?: number;
}

/** Numbers in −1 to 1 without a pattern, the same in every run. */
export function madeUp(count: number, salt = 1): number[] {
  return Array.from({ length: count }, (_, i) => (((i + 1) * 7919 + salt * 104_729) % 2003) / 1001.5 - 1);
}

/** Runs `body` while stock tfjs computes in double precision: its cpu kernels make arrays by global name. */
export function inDouble<T>(body: () => T): T {
  const single = globalThis.Float32Array;
  const { platform } = tf.env();
  const { isTypedArray } = platform;
  globalThis.Float32Array = Float64Array as unknown as Float32ArrayConstructor;
  platform.isTypedArray = (value): value is Float32Array =>
    value instanceof Float64Array || isTypedArray.call(platform, value);
  try {
    return body();
  } finally {
    globalThis.Float32Array = single;
    platform.isTypedArray = isTypedArray;
  }
}

/**
 * Largest difference between the gradients that tfjs's own tape gives and central differences, in double precision,
 * of `Σ f(inputs) · c` with made-up c. Relative to the largest gradient where that is above 1.
 */
export function gradientError(
  f: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: readonly CheckedInput[],
): number {
  return inDouble(() => tf.tidy(() => Math.max(...differences(f, inputs))));
}

function differences(f: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: readonly CheckedInput[]): number[] {
  const values = inputs.map(({ shape, values: own, scale = 1 }, i) =>
    Float64Array.from(own ?? madeUp(tf.util.sizeFromShape([...shape]), i + 1).map((value) => value * scale)),
  );
  const loss = (...tensors: tf.Tensor[]): tf.Scalar => {
    const y = f(...tensors);
    return tf.sum(tf.mul(y, tf.tensor(madeUp(y.size, 99), y.shape)));
  };
  const tensors = () => values.map((own, i) => tf.tensor(Array.from(own), [...(inputs[i]?.shape ?? [])]));
  const evaluate = () => tf.tidy(() => loss(...tensors()).dataSync()[0] as number);
  const gradients = tf.grads(loss)(tensors());
  return gradients.map((gradient, i) => {
    const own = values[i] as Float64Array;
    const expected = Array.from(own.keys(), (at) => slope(own, at, evaluate));
    const actual = gradient.dataSync();
    const size = Math.max(1, ...expected.map(Math.abs));
    return Math.max(0, ...expected.map((value, at) => Math.abs(value - (actual[at] as number)))) / size;
  });
}

function slope(values: Float64Array, at: number, evaluate: () => number): number {
  const step = 1e-5;
  const value = values[at] as number;
  values[at] = value + step;
  const above = evaluate();
  values[at] = value - step;
  const below = evaluate();
  values[at] = value;
  return (above - below) / (2 * step);
}

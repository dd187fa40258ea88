import { detach, type ParameterSet, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import { describeDifference, worstDifference } from "./compare.js";
import {
  assignParameters,
  checkOnDevice,
  checkSlopes,
  type HostTensors,
  parameterValues,
  type ScalarFunction,
  type Tensors,
  uploadAll,
} from "./parts.js";

/** A part with parameters that maps tensors to one tensor. */
export interface PartSuite<P extends { readonly parameters: ParameterSet }> {
  readonly create: () => P;
  readonly inputs: HostTensors;
  /** A new tensor. */
  readonly output: (part: P, inputs: Tensors) => tf.Tensor;
  /** Inputs that get a gradient. */
  readonly gradientsTo: readonly string[];
}

/** Two ways to the same float32 result, through other kernels. */
const SAME = { absolute: 1e-5, relative: 1e-5 };

/** Tests that every part with parameters has to pass: gradient, device, saving, freezing. Call inside `describe`. */
export function testPart<P extends { readonly parameters: ParameterSet }>(suite: PartSuite<P>): void {
  let parameters: HostTensors = {};
  let fn: ScalarFunction<P>;
  let sources: readonly string[] = [];
  beforeAll(() => {
    const part = suite.create();
    parameters = parameterValues(part.parameters, "part");
    part.parameters.dispose();
    sources = [...suite.gradientsTo, ...Object.keys(parameters)];
    const loss = (one: P, inputs: Tensors) => weightedSum(suite.output(one, inputs));
    fn = { create: suite.create, values: { ...suite.inputs, ...parameters }, loss };
  });

  it("has the slope of its output as gradient", () => {
    expect(checkSlopes(fn, sources)).toEqual([]);
  });

  it("gives the same on the device as in double precision, and leaks nothing", async () => {
    expect(await checkOnDevice(fn, sources)).toEqual([]);
  });

  it("gives the same after its parameters are saved and loaded into another one", async () => {
    const [saved, loaded] = [suite.create(), suite.create()];
    assignParameters(saved.parameters, parameters);
    await copyParameters(saved.parameters, loaded.parameters);
    expect(await outputOf(suite, loaded)).toEqual(await outputOf(suite, saved));
    saved.parameters.dispose();
    loaded.parameters.dispose();
  });

  it("gives the same when it is frozen, and its inputs the same gradients", async () => {
    expect(await checkFrozen(suite, parameters)).toEqual([]);
  });
}

/** What differs between a trainable and a frozen part: its output, the gradients of its inputs. */
export async function checkFrozen<P extends { readonly parameters: ParameterSet }>(
  suite: PartSuite<P>,
  parameters: HostTensors,
): Promise<readonly string[]> {
  const part = suite.create();
  assignParameters(part.parameters, parameters);
  const free = await outputAndGradients(suite, part);
  part.parameters.setTrainable(false);
  const frozen = await outputAndGradients(suite, part);
  part.parameters.dispose();
  return Object.keys(free).flatMap((name) => {
    const difference = worstDifference(frozen[name] ?? [], free[name] ?? [], SAME);
    return describeDifference(name, difference) ?? [];
  });
}

/** On the tape, with the parameters that train as sources: what a part does there depends on them. */
async function outputAndGradients<P extends { readonly parameters: ParameterSet }>(
  { inputs, output, gradientsTo }: PartSuite<P>,
  part: P,
): Promise<Readonly<Record<string, ArrayLike<number>>>> {
  const tensors = uploadAll(inputs);
  const sources = gradientsTo.map((name) => tensors[name] as tf.Tensor);
  const trained = [...part.parameters].filter(({ trainable }) => trainable).map(({ value }) => value);
  const kept: tf.Tensor[] = [];
  const { value, gradients } = valueAndGradients(() => {
    const result = output(part, tensors);
    kept.push(tf.keep(detach(result)));
    return weightedSum(result);
  }, [...sources, ...trained]);
  const named = {
    output: kept[0],
    ...Object.fromEntries(gradientsTo.map((name, i) => [`d ${name}`, gradients[i]])),
  };
  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, tensor] of Object.entries(named)) values[name] = await (tensor as tf.Tensor).data();
  tf.dispose([value, kept, [...gradients], tensors]);
  return values;
}

/** Different weights for every value, so that no gradient cancels. */
function weightedSum(output: tf.Tensor): tf.Scalar {
  const weights = Array.from({ length: output.size }, (_, i) => Math.cos(i));
  return tf.sum(tf.mul(output, tf.tensor(weights, output.shape))) as tf.Scalar;
}

async function outputOf<P extends { readonly parameters: ParameterSet }>(
  { inputs, output }: PartSuite<P>,
  part: P,
): Promise<number[]> {
  const result = tf.tidy(() => output(part, uploadAll(inputs)));
  const values = [...(await result.data())];
  result.dispose();
  return values;
}

async function copyParameters(from: ParameterSet, to: ParameterSet): Promise<void> {
  expect([...to].map(({ name }) => name)).toEqual([...from].map(({ name }) => name));
  for (const { name, shape, value } of from) {
    const data = (await value.data()).slice();
    to.get(name).assign(tf.tensor(data, [...shape]));
  }
}

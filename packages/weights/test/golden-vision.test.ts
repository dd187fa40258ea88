import "@tensorflow/tfjs-backend-cpu";

import { setFallback, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";

import { loadHuggingFace, type Safetensors } from "../src/index.js";
import { Comparison, type GoldenCase, modelCases, openCase } from "./golden.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

/** `[B, 3, H, W]` to `[B, H, W, 3]`. */
function pixelsOf(data: Safetensors): tf.Tensor4D {
  const shape = data.entry("in.pixel_values").shape as [number, number, number, number];
  return tf.transpose(tf.tensor4d(data.floats("in.pixel_values"), shape), [0, 2, 3, 1]);
}

const cases = modelCases("vision");

it.each(cases.map((testCase): [string, GoldenCase] => [testCase.name, testCase]))(
  "gives %s the hidden states, features and gradients of transformers",
  async (_, testCase) => {
    const data = openCase(testCase);
    const model = await loadHuggingFace(testCase.path);
    if (model.kind !== "vision") throw new Error(`${testCase.folder} is a ${model.kind} model`);
    const { vision } = model;
    const comparison = new Comparison(data, testCase.tol);
    const pixels = pixelsOf(data);
    const states = vision.hiddenStates(pixels);
    for (const [i, state] of states.entries()) comparison.check(`out.hidden_states.${i}`, state);
    const last = states.at(-1) as tf.Tensor2D;
    const isClip = vision.config.classToken && vision.config.names === "clip";
    comparison.check("out.last_hidden_state", isClip ? last : vision.finalNorm(last));
    comparison.check("out.features", vision.encode(pixels).rows);
    const cotangent = tf.tensor1d(data.floats("ct.features"));
    const used = [...vision.parameters].filter(({ name }) => data.has(`grad.${storedName(data, name)}`));
    const { gradients } = valueAndGradients(
      () => tf.sum(tf.mul(tf.reshape(vision.encode(pixels).rows, [-1]), cotangent)) as tf.Scalar,
      [pixels, ...used.map(({ value }) => value)],
    );
    comparison.check("grad.pixel_values", tf.transpose(gradients[0] as tf.Tensor4D, [0, 3, 1, 2]));
    for (const [i, { name }] of used.entries()) {
      comparison.check(`grad.${storedName(data, name)}`, gradients[i + 1] as tf.Tensor);
    }
    expect(comparison.failures).toEqual([]);
    expect(used.length).toBe(
      data.names.filter((name) => name.startsWith("grad.") && name !== "grad.pixel_values").length,
    );
    vision.parameters.dispose();
    data.close();
  },
);

/** Newer checkpoints leave the prefix out. */
function storedName(data: Safetensors, name: string): string {
  return data.has(`grad.${name}`) ? name : name.replace("vision_model.", "");
}

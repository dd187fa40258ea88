import "@tensorflow/tfjs-backend-cpu";

import { type Decoder, setFallback, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";

import { loadHuggingFace } from "../src/index.js";
import { Comparison, type GoldenCase, modelCases, openCase } from "./golden.js";
import { packCase, valuesOf } from "./packed-case.js";

beforeAll(async () => {
  await tf.setBackend("cpu");
  setFallback("reference");
});

/** Mean cross entropy of the labelled rows with stock ops. */
function crossEntropy(logits: tf.Tensor2D, labels: Int32Array): tf.Scalar {
  const targets = new Float32Array(logits.size);
  const count = labels.filter((label) => label >= 0).length;
  for (const [row, label] of labels.entries()) {
    if (label >= 0) targets[row * logits.shape[1] + label] = -1 / count;
  }
  return tf.sum(tf.mul(tf.logSoftmax(logits), tf.tensor2d(targets, logits.shape)));
}

function greedy(model: Decoder, prompt: Int32Array, steps: number): number[] {
  const cache = model.createCache();
  const tokens: number[] = [];
  let ids = prompt;
  for (let step = 0; step < steps; step++) {
    const start = cache.length;
    const next = tf.tidy(() => {
      const packed = {
        ids,
        offsets: Int32Array.of(0, ids.length),
        positions: ids.map((_, i) => start + i),
        images: [],
        countsAsText: ids.map(() => 1),
        labels: ids.map(() => -100),
      };
      const { hidden } = model.forward({ packed, visual: null, cache });
      const logits = model.logits(tf.slice(hidden, [ids.length - 1, 0]));
      return tf.argMax(logits, 1).dataSync()[0] as number;
    });
    tokens.push(next);
    ids = Int32Array.of(next);
  }
  cache.dispose();
  return tokens;
}

/** Phi 3's checkpoints hold some of our matrices one after the other. */
function partsOf(name: string): readonly string[] {
  const [, before, fused] = /^(.*)(qkv_proj|gate_up_proj)/.exec(name) ?? [];
  if (before === undefined) return [name];
  const parts = fused === "qkv_proj" ? ["q", "k", "v"] : ["gate", "up"];
  return parts.map((part) => `${before}${part}_proj.weight`);
}

async function load(folder: string): Promise<Decoder> {
  const model = await loadHuggingFace(folder);
  if (model.kind !== "language") throw new Error(`${folder} is a ${model.kind} model`);
  return model.language;
}

const cases = modelCases("llm");

describe.each(cases.map((testCase): [string, GoldenCase] => [testCase.name, testCase]))(
  "%s",
  (_, testCase) => {
    it("has the hidden states, logits, loss and gradients of transformers", async () => {
      const data = openCase(testCase);
      const model = await load(testCase.path);
      const comparison = new Comparison(data, testCase.tol);
      const { packed, rows } = packCase(data, testCase.lengths ?? []);
      const input = { packed, visual: null };
      for (const [i, state] of model.hiddenStates(input).entries()) {
        comparison.check(`out.hidden_states.${i}`, state, valuesOf(rows, model.width));
      }
      const logits = model.logits(model.forward(input).hidden);
      comparison.check("out.logits", logits, valuesOf(rows, model.vocabularySize));
      // The half-precision and sharded cases have no gradients.
      const wanted = data.names.filter((name) => name.startsWith("grad."));
      const parts = wanted.map((name) => partsOf(name.slice("grad.".length)));
      const { value, gradients } = valueAndGradients(
        () => crossEntropy(model.logits(model.forward(input).hidden), packed.labels),
        parts.flat().map((name) => model.parameters.get(name).value),
      );
      comparison.check("out.loss", value);
      let next = 0;
      for (const [i, name] of wanted.entries()) {
        const count = (parts[i] as readonly string[]).length;
        comparison.check(name, tf.concat(gradients.slice(next, next + count)));
        next += count;
      }
      expect(comparison.failures).toEqual([]);
      model.parameters.dispose();
      data.close();
    });

    it("continues a prompt with the same tokens, through the cache", async () => {
      const data = openCase(testCase);
      const model = await load(testCase.path);
      const { prompt_tokens: length = 0, new_tokens: steps = 0 } = testCase.greedy ?? {};
      const prompt = data.integers("in.input_ids").slice(0, length);
      expect(greedy(model, prompt, steps)).toEqual([...data.integers("out.greedy")]);
      model.parameters.dispose();
      data.close();
    });
  },
);

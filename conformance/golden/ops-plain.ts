import {
  type ActivationKind,
  activation,
  DEFAULT_CHUNK_BYTES,
  embedding,
  gatedActivation,
  layerNorm,
  linear,
  linearBias,
  linearCrossEntropy,
  rmsNorm,
  rotary,
  rotaryFrequencies,
  runKernel,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { asRows, checkComputation, inputsOf, lookUp, variantOf } from "./differentiate.js";
import type { GoldenCase } from "./golden-case.js";

const activationKinds: Readonly<Record<string, ActivationKind>> = {
  gelu_erf: "gelu-erf",
  gelu_tanh: "gelu-tanh",
  quick_gelu: "quick-gelu",
  silu: "silu",
  relu: "relu",
};

/** Activations that are stock operations. */
const stockActivations: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  sigmoid: tf.sigmoid,
  tanh: tf.tanh,
};

const gateKinds: Readonly<Record<string, "silu" | "gelu-tanh">> = { swiglu: "silu", geglu_tanh: "gelu-tanh" };

/** Ops that are one contract or one stock operation. */
export const plainOps: Readonly<Record<string, (golden: GoldenCase) => Promise<void>>> = {
  linear: checkLinear,
  rmsnorm: checkRmsNorm,
  layernorm: checkLayerNorm,
  activation: checkActivation,
  gated_mlp: checkGatedMlp,
  softmax: checkSoftmax,
  embedding: checkEmbedding,
  cross_entropy: checkCrossEntropy,
  linear_cross_entropy: checkLinearCrossEntropy,
  rope: checkRope,
};

function product(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  return runKernel(linear, { x, weight }, { activation: "none" })[0] as tf.Tensor;
}

async function checkLinear(golden: GoldenCase): Promise<void> {
  golden.allowFields();
  const names = golden.has("in.bias") ? ["x", "weight", "bias"] : ["x", "weight"];
  const leaves = inputsOf(golden, ...names);
  const { x, weight, bias } = leaves as { x: tf.Tensor; weight: tf.Tensor; bias?: tf.Tensor };
  const run = (): Record<string, tf.Tensor> => {
    const rows = asRows(x);
    const y =
      bias === undefined
        ? product(rows, weight)
        : (runKernel(linearBias, { x: rows, weight, bias }, { activation: "none" })[0] as tf.Tensor);
    return { y: tf.reshape(y, [...golden.shape("out.y")]) };
  };
  await checkComputation(golden, { leaves, run });
}

async function checkRmsNorm(golden: GoldenCase): Promise<void> {
  golden.allowFields("eps", "weight_offset");
  const [eps, offset] = [golden.record["eps"] as number, golden.record["weight_offset"]];
  if (offset !== 0 && offset !== 1) throw new Error(`unknown weight_offset ${String(offset)}`);
  const leaves = inputsOf(golden, "x", "weight");
  const { x, weight } = leaves as { x: tf.Tensor; weight: tf.Tensor };
  const attrs = { epsilon: eps, addOne: offset === 1 };
  await checkComputation(golden, {
    leaves,
    run: () => ({
      y: tf.reshape(runKernel(rmsNorm, { x: asRows(x), weight }, attrs)[0] as tf.Tensor, x.shape),
    }),
  });
}

async function checkLayerNorm(golden: GoldenCase): Promise<void> {
  golden.allowFields("eps");
  const leaves = inputsOf(golden, "x", "weight", "bias");
  const { x, weight, bias } = leaves as { x: tf.Tensor; weight: tf.Tensor; bias: tf.Tensor };
  const attrs = { epsilon: golden.record["eps"] as number };
  const run = (): Record<string, tf.Tensor> => {
    const y = runKernel(layerNorm, { x: asRows(x), weight, bias }, attrs)[0] as tf.Tensor;
    return { y: tf.reshape(y, x.shape) };
  };
  await checkComputation(golden, { leaves, run });
}

async function checkActivation(golden: GoldenCase): Promise<void> {
  golden.allowFields();
  const variant = variantOf(golden);
  const leaves = inputsOf(golden, "x");
  const { x } = leaves as { x: tf.Tensor };
  const stock = stockActivations[variant];
  const run = (): Record<string, tf.Tensor> => {
    if (stock !== undefined) return { y: stock(x) };
    const kind = lookUp(activationKinds, variant, "activation");
    return { y: tf.reshape(runKernel(activation, { x: asRows(x) }, { kind })[0] as tf.Tensor, x.shape) };
  };
  await checkComputation(golden, { leaves, run });
}

async function checkGatedMlp(golden: GoldenCase): Promise<void> {
  golden.allowFields();
  const leaves = inputsOf(golden, "x", "gate", "up", "down");
  const { x, gate, up, down } = leaves as Record<"x" | "gate" | "up" | "down", tf.Tensor>;
  const kind = lookUp(gateKinds, variantOf(golden), "gated MLP");
  const run = (): Record<string, tf.Tensor> => {
    const rows = asRows(x);
    const inputs = { gate: product(rows, gate), up: product(rows, up) };
    const mixed = runKernel(gatedActivation, inputs, { kind })[0] as tf.Tensor;
    return { y: tf.reshape(product(mixed, down), [...golden.shape("out.y")]) };
  };
  await checkComputation(golden, { leaves, run });
}

async function checkSoftmax(golden: GoldenCase): Promise<void> {
  golden.allowFields();
  const leaves = inputsOf(golden, "x");
  const { x } = leaves as { x: tf.Tensor };
  await checkComputation(golden, { leaves, run: () => ({ y: tf.softmax(x), log: tf.logSoftmax(x) }) });
}

async function checkEmbedding(golden: GoldenCase): Promise<void> {
  golden.allowFields();
  const leaves = inputsOf(golden, "weight");
  const { weight: table } = leaves as { weight: tf.Tensor };
  const ids = golden.integers("in.ids");
  await checkComputation(golden, {
    leaves,
    run: () => ({
      y: tf.reshape(runKernel(embedding, { table }, { ids })[0] as tf.Tensor, [...golden.shape("out.y")]),
    }),
  });
}

/** Labels of a case; only −100 may mark ignored rows. */
function labelsOf(golden: GoldenCase): Int32Array {
  if (golden.record["ignore_index"] !== -100) throw new Error(`unknown ignore_index`);
  return golden.integers("in.target");
}

function rowLosses(x: tf.Tensor, weight: tf.Tensor, labels: Int32Array): tf.Tensor {
  const attrs = { labels, softcap: 0, chunkBytes: DEFAULT_CHUNK_BYTES };
  return runKernel(linearCrossEntropy, { x, weight }, attrs)[0] as tf.Tensor;
}

/** Logits are the product with the identity. */
async function checkCrossEntropy(golden: GoldenCase): Promise<void> {
  golden.allowFields("ignore_index");
  const leaves = inputsOf(golden, "logits");
  const { logits } = leaves as { logits: tf.Tensor };
  const labels = labelsOf(golden);
  const count = labels.filter((label) => label >= 0).length;
  const identity = tf.eye(logits.shape[1] as number);
  const run = (): Record<string, tf.Tensor> => {
    const none = rowLosses(logits, identity, labels);
    const sum = tf.sum(none);
    return { none, sum, mean: tf.div(sum, count) };
  };
  await checkComputation(golden, { leaves, run });
}

async function checkLinearCrossEntropy(golden: GoldenCase): Promise<void> {
  golden.allowFields("ignore_index");
  const leaves = inputsOf(golden, "x", "weight");
  const { x, weight } = leaves as { x: tf.Tensor; weight: tf.Tensor };
  const labels = labelsOf(golden);
  const count = labels.filter((label) => label >= 0).length;
  await checkComputation(golden, {
    leaves,
    run: () => ({ loss: tf.div(tf.sum(rowLosses(x, weight, labels)), count) }),
  });
}

interface RopeScaling {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

async function checkRope(golden: GoldenCase): Promise<void> {
  golden.allowFields("theta", "rotary_dim", "scaling");
  const [B, H, T, d] = golden.shape("in.x") as [number, number, number, number];
  const positions = golden.integers("in.positions");
  const base = golden.record["theta"] as number;
  const width = golden.record["rotary_dim"] as number;
  const table = rotaryFrequencies({ base, width, scaling: ropeScaling(golden) }, Math.max(...positions) + 1);
  golden.compare("out.inv_freq", table.frequencies);
  const leaves = inputsOf(golden, "x");
  const { x } = leaves as { x: tf.Tensor };
  const attrs = {
    heads: H,
    rotaryWidth: width,
    positions,
    frequencies: table.frequencies,
    scale: table.scale,
    inverse: false,
  };
  const run = (): Record<string, tf.Tensor> => {
    const rows = tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [B * T, H * d]);
    const turned = runKernel(rotary, { x: rows }, attrs)[0] as tf.Tensor;
    return { y: tf.transpose(tf.reshape(turned, [B, T, H, d]), [0, 2, 1, 3]) };
  };
  await checkComputation(golden, { leaves, run });
}

function ropeScaling(golden: GoldenCase): Parameters<typeof rotaryFrequencies>[0]["scaling"] {
  if (golden.record["scaling"] === null) return null;
  const scaling = golden.options<RopeScaling>("scaling", [
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
  ]);
  return {
    kind: "llama3",
    factor: scaling.factor,
    lowFrequencyFactor: scaling.low_freq_factor,
    highFrequencyFactor: scaling.high_freq_factor,
    originalPositions: scaling.original_max_position_embeddings,
  };
}

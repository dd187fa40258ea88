import {
  type FrozenLinearAttrs,
  frozenLinear,
  frozenLinearBackward,
  frozenLinearBias,
  type LinearAttrs,
  type LinearBackwardInput,
  type LinearGroupAttrs,
  type LinearGroupInput,
  linear,
  linearBackward,
  linearBias,
  linearPair,
  linearTriple,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { activateInPlace } from "../activation/activation.js";
import { type Call, implement } from "../implement.js";
import { multiply } from "../matmul/matmul.js";
import { multiplyFrozen } from "./product.js";

/** BasicLinear, BasicFrozenLinear, their variants and their backward kernels. */
export function registerLinear(): void {
  implement(linear, (call) => runLinear(call, {}), { reads: "all", outputs: [0] });
  implement(linearBias, (call) => runLinear(call, { bias: call.inputs.bias }), {
    reads: "all",
    outputs: [0],
  });
  implement(linearPair, runGroup, { reads: "all", outputs: [0, 1, 2] });
  implement(linearTriple, runGroup, { reads: "all", outputs: [0, 1, 2] });
  implement(linearBackward, runBackward, { reads: "all", outputs: [0] });
  implement(frozenLinear, (call) => runFrozen(call, {}), { reads: "all", outputs: [0] });
  implement(frozenLinearBias, (call) => runFrozen(call, { bias: call.inputs.bias }), {
    reads: "all",
    outputs: [0],
  });
  implement(
    frozenLinearBackward,
    ({ backend, inputs, attrs, size, out }) => {
      const { storage, inFeatures, outFeatures } = attrs;
      const sizes = { rows: size("dy", 0), columns: inFeatures, depth: outFeatures };
      const operands = { left: inputs.dy, weight: inputs.weight, result: out(0), ...sizes };
      multiplyFrozen(backend, { layout: "nn", storage }, operands);
    },
    { reads: "all", outputs: [0] },
  );
}

type Bias = { readonly bias?: tf.TensorInfo };

/**
 * The activation is a pass of its own: cuBLASLt has one of them (gelu-tanh), and does not say how exact it is.
 */
function runLinear(call: Call<"x" | "weight", LinearAttrs>, bias: Bias): void {
  const { backend, inputs, attrs, size, out } = call;
  const sizes = { rows: size("x", 0), columns: size("weight", 0), depth: size("x", 1) };
  const operands = { left: inputs.x, weight: inputs.weight, ...bias, result: out(0), ...sizes };
  multiply(backend, { layout: "nt" }, operands);
  if (attrs.activation !== "none") activateInPlace(backend, out(0), attrs.activation);
}

function runFrozen(call: Call<"x" | "weight", FrozenLinearAttrs>, bias: Bias): void {
  const { backend, inputs, attrs, size, out } = call;
  const { storage, inFeatures, outFeatures } = attrs;
  const sizes = { rows: size("x", 0), columns: outFeatures, depth: inFeatures };
  const operands = { left: inputs.x, weight: inputs.weight, ...bias, result: out(0), ...sizes };
  multiplyFrozen(backend, { layout: "nt", storage }, operands);
}

function runGroup({ backend, inputs, size, outputs }: Call<LinearGroupInput, LinearGroupAttrs>): void {
  for (const [i, result] of outputs.entries()) {
    const weight = inputs[`weight${i}`] as tf.TensorInfo;
    const sizes = { rows: size("x", 0), columns: weight.shape[0] as number, depth: size("x", 1) };
    multiply(backend, { layout: "nt" }, { left: inputs.x, weight, result, ...sizes });
  }
}

/** The terms of `dx` are added from the last weight to the first, in place. */
function runBackward({ backend, inputs, size, outputs }: Call<LinearBackwardInput, LinearGroupAttrs>): void {
  const [dx, ...dWeights] = outputs as readonly [tf.TensorInfo, ...tf.TensorInfo[]];
  const [rows, features] = [size("x", 0), size("x", 1)];
  const last = dWeights.length - 1;
  for (let i = last; i >= 0; i--) {
    const [dy, weight] = [inputs[`dy${i}`] as tf.TensorInfo, inputs[`weight${i}`] as tf.TensorInfo];
    const depth = weight.shape[0] as number;
    const term = { left: dy, weight, result: dx, rows, columns: features, depth };
    multiply(backend, { layout: "nn", accumulate: i < last }, term);
    const result = dWeights[i] as tf.TensorInfo;
    const product = { left: dy, weight: inputs.x, result, rows: depth, columns: features, depth: rows };
    multiply(backend, { layout: "tn" }, product);
  }
}

import {
  type FrozenLinearAttrs,
  frozenLinear,
  frozenLinearBackward,
  frozenLinearBias,
  implementKernel,
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

import { BACKEND_NAME, type CpuBackend, type Output } from "../backend.js";
import { type Call, implement, NONE } from "./implement.js";

/** BasicLinear, BasicFrozenLinear, their variants with a bias, and the backward kernel of the frozen ones. */
export function registerLinear(): void {
  implement(linear, (call) => runLinear(call, NONE));
  implement(linearBias, (call) => runLinear(call, call.floats("bias")));
  implement(linearPair, runGroup);
  implement(linearTriple, runGroup);
  implementKernel<LinearBackwardInput, LinearGroupAttrs, CpuBackend>({
    contract: linearBackward,
    backend: BACKEND_NAME,
    run: (call) => call.backend.orRelease(() => runBackward(call)),
  });
  implement(frozenLinear, (call) => runFrozen(call, NONE));
  implement(frozenLinearBias, (call) => runFrozen(call, call.floats("bias")));
  implement(frozenLinearBackward, ({ native, attrs, floats, integers, size, out }) => {
    const { storage, inFeatures, outFeatures } = attrs;
    const [dy, rows] = [floats("dy"), size("dy", 0)];
    if (storage === "f32") {
      native.linearBackward(dy, floats("weight"), rows, inFeatures, outFeatures, out(0));
    } else {
      native.packedLinearBackward(dy, integers("weight"), storage, rows, inFeatures, outFeatures, out(0));
    }
  });
}

function runLinear(call: Call<"x" | "weight", LinearAttrs>, bias: Float32Array): void {
  const { native, attrs, floats, size, out } = call;
  const [rows, inputs, outputs] = [size("x", 0), size("x", 1), size("weight", 0)];
  native.linear(floats("x"), floats("weight"), bias, rows, inputs, outputs, attrs.activation, out(0));
}

function runGroup({ native, floats, size, out }: Call<LinearGroupInput, LinearGroupAttrs>): void {
  const [x, rows, inputs] = [floats("x"), size("x", 0), size("x", 1)];
  for (let i = 0; out(i) !== NONE; i++) {
    const weight = `weight${i}` as const;
    native.linear(x, floats(weight), NONE, rows, inputs, size(weight, 0), "none", out(i));
  }
}

/** The products of each weight, from the last to the first. */
function runBackward({ inputs, backend }: BackwardCall): tf.TensorInfo[] {
  const { native } = backend;
  const [rows, features] = inputs.x.shape as [number, number];
  const x = backend.floats(inputs.x);
  const count = (Object.keys(inputs).length - 1) / 2;
  const dx = backend.allocate(inputs.x.shape);
  const dWeights: Output[] = [];
  const term = count > 1 ? backend.allocate(inputs.x.shape) : dx;
  for (let i = count - 1; i >= 0; i--) {
    const [dy, weight] = [inputs[`dy${i}`] as tf.TensorInfo, inputs[`weight${i}`] as tf.TensorInfo];
    const outputs = weight.shape[0] as number;
    const values = backend.floats(dy);
    const target = i === count - 1 ? dx : term;
    native.matmul(values, backend.floats(weight), target.values, 1, 1, rows, features, outputs, false, false);
    if (target !== dx) native.accumulate(target.values, dx.values);
    const dWeight = backend.allocate(weight.shape);
    native.matmul(values, x, dWeight.values, 1, 1, outputs, features, rows, true, false);
    dWeights.unshift(dWeight);
  }
  if (term !== dx) backend.disposeData(term.dataId);
  return [dx, ...dWeights];
}

interface BackwardCall {
  readonly inputs: Readonly<Record<LinearBackwardInput, tf.TensorInfo>>;
  readonly backend: CpuBackend;
}

function runFrozen(call: Call<"x" | "weight", FrozenLinearAttrs>, bias: Float32Array): void {
  const { native, attrs, floats, integers, size, out } = call;
  const { storage, inFeatures, outFeatures } = attrs;
  const [x, rows] = [floats("x"), size("x", 0)];
  if (storage === "f32") {
    native.linear(x, floats("weight"), bias, rows, inFeatures, outFeatures, "none", out(0));
  } else {
    native.packedLinear(x, integers("weight"), bias, storage, rows, inFeatures, outFeatures, out(0));
  }
}

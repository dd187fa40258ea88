import {
  type FrozenLinearAttrs,
  frozenLinear,
  frozenLinearBackward,
  frozenLinearBias,
  type LinearAttrs,
  linear,
  linearBias,
} from "@basic-mllm/core";

import { type Call, implement, NONE } from "./implement.js";

/** BasicLinear, BasicFrozenLinear, their variants with a bias, and the backward kernel of the frozen ones. */
export function registerLinear(): void {
  implement(linear, (call) => runLinear(call, NONE));
  implement(linearBias, (call) => runLinear(call, call.floats("bias")));
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

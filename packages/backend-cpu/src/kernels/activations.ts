import {
  activation,
  activationBackward,
  DROPOUT_STEPS,
  dropoutKernel,
  gatedActivation,
  gatedActivationBackward,
} from "@basic-mllm/core";

import { implement } from "./implement.js";

/** BasicActivation, BasicGatedActivation and their backward kernels, BasicDropout. */
export function registerActivations(): void {
  implement(activation, ({ native, attrs, floats, out }) => {
    native.activation(attrs.kind, floats("x"), out(0));
  });
  implement(activationBackward, ({ native, attrs, floats, out }) => {
    native.activationBackward(attrs.kind, floats("dy"), floats("x"), out(0));
  });
  implement(gatedActivation, ({ native, attrs, floats, out }) => {
    native.gatedActivation(attrs.kind, floats("gate"), floats("up"), out(0));
  });
  implement(gatedActivationBackward, ({ native, attrs, floats, out }) => {
    native.gatedActivationBackward(attrs.kind, floats("dy"), floats("gate"), floats("up"), out(0), out(1));
  });
  implement(dropoutKernel, ({ native, attrs, floats, out }) => {
    const words = Array.from(attrs.stream, (word) => word >>> 0);
    const [keyLow = 0, keyHigh = 0, streamLow = 0, streamHigh = 0] = words;
    const threshold = attrs.probability * DROPOUT_STEPS;
    native.dropout(threshold, keyLow, keyHigh, streamLow, streamHigh, floats("x"), out(0));
  });
}

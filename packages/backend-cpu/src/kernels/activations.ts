import { activation, activationBackward, gatedActivation, gatedActivationBackward } from "@basic-mllm/core";

import { implement } from "./implement.js";

/** BasicActivation, BasicGatedActivation and their backward kernels. */
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
}

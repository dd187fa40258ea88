import { adamw, squaredNorm } from "@basic-mllm/core";

import { implement, implementInPlace } from "./implement.js";

/** BasicSquaredNorm and BasicAdamw. */
export function registerUpdates(): void {
  implement(squaredNorm, ({ native, floats, out }) => {
    native.squaredNorm(floats("x"), out(0));
  });
  implementInPlace(adamw, ({ inputs, attrs, backend }) => {
    const { learningRate, beta1, beta2, epsilon, weightDecay, step } = attrs;
    backend.native.adamw(
      backend.floats(inputs.parameter),
      backend.floats(inputs.gradient),
      backend.floats(inputs.m),
      backend.floats(inputs.v),
      backend.floats(inputs.control),
      learningRate,
      beta1,
      beta2,
      epsilon,
      weightDecay,
      step,
    );
    return [inputs.parameter, inputs.m, inputs.v];
  });
}

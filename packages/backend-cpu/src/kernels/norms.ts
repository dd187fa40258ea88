import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward, rotary } from "@basic-mllm/core";

import { implement } from "./implement.js";

/** BasicRmsNorm, BasicLayerNorm, their backward kernels, and BasicRotary. */
export function registerNorms(): void {
  implement(rmsNorm, ({ native, attrs, floats, out }) => {
    native.rmsNorm(floats("x"), floats("weight"), attrs.epsilon, attrs.addOne, out(0), out(1));
  });
  implement(rmsNormBackward, ({ native, attrs, floats, out }) => {
    const { addOne } = attrs;
    native.rmsNormBackward(
      floats("dy"),
      floats("x"),
      floats("weight"),
      floats("inverse"),
      addOne,
      out(0),
      out(1),
    );
  });
  implement(layerNorm, ({ native, attrs, floats, out }) => {
    const { epsilon } = attrs;
    native.layerNorm(floats("x"), floats("weight"), floats("bias"), epsilon, out(0), out(1), out(2));
  });
  implement(layerNormBackward, ({ native, floats, out }) => {
    native.layerNormBackward(
      floats("dy"),
      floats("x"),
      floats("weight"),
      floats("mean"),
      floats("inverse"),
      out(0),
      out(1),
      out(2),
    );
  });
  implement(rotary, ({ native, attrs, floats, out }) => {
    const { heads, positions, frequencies, scale, inverse } = attrs;
    native.rotary(floats("x"), heads, positions, frequencies, scale, inverse, out(0));
  });
}

import type * as tf from "@tensorflow/tfjs-core";

import { layerNorm } from "../kernels/layer-norm.js";
import { rmsNorm } from "../kernels/rms-norm.js";
import { runKernel } from "../kernels/run.js";
import type { Parameter } from "../parameters.js";
import type { Builder } from "./builder.js";

/** Settings of an {@link RmsNorm}. */
export interface RmsNormOptions {
  readonly width: number;
  readonly epsilon: number;
  /** Gemma: the factor is `1 + weight`. */
  readonly addOne: boolean;
}

/** `y = x / √(mean(x²) + ε) · w` on each row. Parameter `NAME.weight` `[D]`. */
export class RmsNorm {
  readonly weight: Parameter;
  readonly #attrs: { readonly epsilon: number; readonly addOne: boolean };

  constructor(builder: Builder, name: string, { width, epsilon, addOne }: RmsNormOptions) {
    this.weight = builder.add(`${name}.weight`, [width], addOne ? "offset" : "scale");
    this.#attrs = { epsilon, addOne };
  }

  /** @param x - `[R, D]`. @returns `[R, D]`. */
  call(x: tf.Tensor2D): tf.Tensor2D {
    return runKernel(rmsNorm, { x, weight: this.weight.value }, this.#attrs)[0] as tf.Tensor2D;
  }
}

/** Settings of a {@link LayerNorm}. */
export interface LayerNormOptions {
  readonly width: number;
  readonly epsilon: number;
}

/** `y = (x − mean) / √(variance + ε) · w + b` on each row. Parameters `NAME.weight`, `NAME.bias` `[D]`. */
export class LayerNorm {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly #epsilon: number;

  constructor(builder: Builder, name: string, { width, epsilon }: LayerNormOptions) {
    this.weight = builder.add(`${name}.weight`, [width], "scale");
    this.bias = builder.add(`${name}.bias`, [width], "bias");
    this.#epsilon = epsilon;
  }

  /** @param x - `[R, D]`. @returns `[R, D]`. */
  call(x: tf.Tensor2D): tf.Tensor2D {
    const inputs = { x, weight: this.weight.value, bias: this.bias.value };
    return runKernel(layerNorm, inputs, { epsilon: this.#epsilon })[0] as tf.Tensor2D;
  }
}

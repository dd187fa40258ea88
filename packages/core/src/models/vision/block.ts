import * as tf from "@tensorflow/tfjs-core";

import { type AttentionRows, SelfAttention } from "../../layers/attention.js";
import type { Builder } from "../../layers/builder.js";
import { FusedGatedMlp, Mlp } from "../../layers/mlp.js";
import { LayerNorm } from "../../layers/norm.js";
import type { Parameter } from "../../parameters.js";
import type { VitConfig } from "./config.js";

/** `x + s₁ · attention(norm(x))`, then `x + s₂ · mlp(norm(x))`; the factors s are learned (DINOv2) or 1. */
export class VitBlock {
  readonly #attention: SelfAttention;
  readonly #mlp: Mlp | FusedGatedMlp;
  readonly #norm1: LayerNorm;
  readonly #norm2: LayerNorm;
  readonly #scale1: Parameter | null;
  readonly #scale2: Parameter | null;

  constructor(builder: Builder, config: VitConfig) {
    const { width, heads, inner, activation, normEpsilon: epsilon } = config;
    const headWidth = width / heads;
    this.#norm1 = new LayerNorm(builder, "layer_norm1", { width, epsilon });
    this.#attention = new SelfAttention(builder, "self_attn", {
      width,
      heads,
      keyValueHeads: heads,
      headWidth,
      inputBias: config.inputBias,
      outputBias: true,
      outputName: "out_proj",
      scale: 1 / Math.sqrt(headWidth),
      softcap: 0,
      headNorm: null,
    });
    this.#scale1 = addScale(builder, "layer_scale1", config);
    this.#norm2 = new LayerNorm(builder, "layer_norm2", { width, epsilon });
    const shape = { width, inner, bias: true };
    this.#mlp = config.swiglu
      ? new FusedGatedMlp(builder, "mlp", { ...shape, activation: "silu" })
      : new Mlp(builder, "mlp", { ...shape, activation });
    this.#scale2 = addScale(builder, "layer_scale2", config);
  }

  /** @param x - `[R, width]`. @returns `[R, width]`. */
  call(x: tf.Tensor2D, rows: AttentionRows): tf.Tensor2D {
    return tf.tidy(() => {
      const attended = this.#attention.call(this.#norm1.call(x), rows).y;
      const middle = tf.add<tf.Tensor2D>(x, scaled(attended, this.#scale1));
      return tf.add<tf.Tensor2D>(middle, scaled(this.#mlp.call(this.#norm2.call(middle)), this.#scale2));
    });
  }
}

function addScale(builder: Builder, name: string, { width, layerScale }: VitConfig): Parameter | null {
  return layerScale ? builder.add(`${name}.lambda1`, [width], "scale") : null;
}

function scaled(x: tf.Tensor2D, factors: Parameter | null): tf.Tensor2D {
  return factors === null ? x : tf.mul<tf.Tensor2D>(x, factors.value);
}

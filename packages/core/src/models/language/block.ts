import * as tf from "@tensorflow/tfjs-core";

import { type CheckpointPass, checkpoint, detach } from "../../autodiff.js";
import { type AttentionRows, SelfAttention } from "../../layers/attention.js";
import type { Builder } from "../../layers/builder.js";
import { dropoutKey, withDropout } from "../../layers/dropout.js";
import type { Linear } from "../../layers/linear.js";
import { GatedMlp } from "../../layers/mlp.js";
import { RmsNorm } from "../../layers/norm.js";
import type { Parameter } from "../../parameters.js";
import type { DecoderConfig } from "./config.js";
import { FusedBlock } from "./fused-block.js";

/** Output of a {@link DecoderBlock}. */
export interface BlockOutput {
  /** `[R, D]`. */
  readonly x: tf.Tensor2D;
  /** See {@link AttentionRows}. */
  readonly received?: tf.Tensor1D;
}

/** `x + attention(norm(x))`, then `x + mlp(norm(x))`; Gemma 2 has a norm after each as well. */
export class DecoderBlock {
  readonly #parameters: readonly Parameter[];
  readonly #linears: readonly Linear[];
  readonly #attention: SelfAttention;
  readonly #mlp: GatedMlp;
  readonly #beforeAttention: RmsNorm;
  readonly #afterAttention: RmsNorm | null;
  readonly #beforeMlp: RmsNorm;
  readonly #afterMlp: RmsNorm | null;
  readonly #fused: FusedBlock | null;

  constructor(builder: Builder, config: DecoderConfig) {
    const { width, normEpsilon: epsilon, normAddOne: addOne, sandwichNorms: sandwich } = config;
    const norm = (name: string) => new RmsNorm(builder, name, { width, epsilon, addOne });
    this.#attention = new SelfAttention(builder, "self_attn", {
      width,
      heads: config.heads,
      keyValueHeads: config.keyValueHeads,
      headWidth: config.headWidth,
      inputBias: config.inputBias,
      outputBias: config.outputBias,
      outputName: "o_proj",
      scale: config.attentionScale,
      softcap: config.attentionSoftcap,
      headNorm: config.headNorm ? { epsilon, addOne } : null,
    });
    this.#mlp = new GatedMlp(builder, "mlp", {
      width,
      inner: config.inner,
      bias: config.mlpBias,
      activation: config.activation,
    });
    this.#beforeAttention = norm("input_layernorm");
    this.#afterAttention = sandwich ? norm("post_attention_layernorm") : null;
    this.#beforeMlp = norm(sandwich ? "pre_feedforward_layernorm" : "post_attention_layernorm");
    this.#afterMlp = sandwich ? norm("post_feedforward_layernorm") : null;
    this.#fused = FusedBlock.of(builder, config, [this.#beforeAttention, this.#beforeMlp]);
    this.#parameters = [...builder.parameters].filter(({ name }) => name.startsWith(builder.prefix));
    this.#linears = [...builder.linears].flatMap(([name, linear]) =>
      name.startsWith(builder.prefix) ? [linear] : [],
    );
  }

  /**
   * Like {@link call}, but keeps the input alone for the gradient and runs the block again there. `received` is kept
   * from the first run.
   *
   * @param input - `[R, D]`.
   */
  recomputed(input: tf.Tensor2D, { receive, ...rows }: AttentionRows): BlockOutput {
    const kept: tf.Tensor1D[] = [];
    const adapters = this.#linears.flatMap(({ adapter }) => adapter?.parameters ?? []);
    const trained = [...this.#parameters, ...adapters].flatMap(({ trainable, value }) =>
      trainable ? [value] : [],
    );
    // The gradient comes when the step's own key is gone.
    const key = dropoutKey();
    const block = ([x]: readonly tf.Tensor[], pass: CheckpointPass): tf.Tensor => {
      const watched = pass === "forward" && receive !== undefined ? { ...rows, receive } : rows;
      const { x: y, received } = withDropout(key, () => this.call(x as tf.Tensor2D, watched));
      if (received !== undefined) kept.push(tf.keep(received));
      return y;
    };
    const x = checkpoint(block, [input], trained) as tf.Tensor2D;
    const [received] = kept;
    if (received === undefined) return { x };
    // From here on it is freed with its surroundings.
    const alias = detach(received);
    received.dispose();
    return { x, received: alias };
  }

  /** @param input - `[R, D]`. */
  call(input: tf.Tensor2D, rows: AttentionRows): BlockOutput {
    const cached = rows.cache === undefined ? undefined : this.#fused?.run(input, rows, rows.cache);
    if (cached !== undefined) return { x: cached };
    // Frees what the gradient does not need before the next block starts.
    return tf.tidy(() => {
      const { y, received } = this.#attention.call(this.#beforeAttention.call(input), rows);
      const middle = tf.add<tf.Tensor2D>(input, this.#afterAttention?.call(y) ?? y);
      const mixed = this.#mlp.call(this.#beforeMlp.call(middle));
      const x = tf.add<tf.Tensor2D>(middle, this.#afterMlp?.call(mixed) ?? mixed);
      return received === undefined ? { x } : { x, received };
    });
  }
}

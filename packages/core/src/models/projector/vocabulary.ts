import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";

import { BasicError } from "../../errors.js";
import { checkIndices } from "../../kernels/index-range.js";
import { gatherRows } from "../../layers/embedding.js";
import { Linear } from "../../layers/linear.js";
import type { Parameter } from "../../parameters.js";
import type { Grid } from "../interfaces.js";
import { BuiltInProjector, type ImageRows, type ProjectorSetup } from "./built-in-projector.js";

/** Options of `vocabulary`. */
export const vocabularyOptions = z.strictObject({
  tokens: z
    .array(z.int().nonnegative())
    .min(1)
    .readonly()
    .optional()
    .describe("Ids of the tokens whose embeddings are mixed. Default: all."),
  hidden: z
    .int()
    .positive()
    .optional()
    .describe("Width between the products. Default: the language model's."),
  weights: z
    .enum(["softmax", "none"])
    .default("softmax")
    .describe("How scores become weights; none: they are the weights, as in LangBridge's checkpoints."),
});
/** Options of `vocabulary`. */
export interface VocabularyOptions {
  /** Ids of the tokens whose embeddings are mixed. Default: all. */
  readonly tokens?: readonly number[] | undefined;
  /** Width between the products. Default: the language model's. */
  readonly hidden?: number | undefined;
  /** How scores become weights: by a softmax (default), or as they are, as in LangBridge's checkpoints. */
  readonly weights?: "softmax" | "none" | undefined;
}

/**
 * Visual rows as mixtures of word embeddings, after LangBridge (arXiv:2503.19404): a score for each token from
 * `Linear, GELU, Linear, Linear`, then `softmax(scores) · E'` with E' the rows of `tokens` of the LLM's embedding table
 * as it was in the beginning.
 *
 * Parameters have the names of LangBridge's checkpoints, `0.*`, `2.*`, `3.*`, and `vocabulary` `[tokens, D]`, which
 * never trains. Needs a score for each row and token: `[N, tokens]`.
 */
export class VocabularyProjector extends BuiltInProjector {
  readonly input: Linear;
  readonly #second: Linear;
  readonly #scores: Linear;
  readonly #vocabulary: Parameter;
  readonly #softmax: boolean;

  /**
   * Use {@link createProjector}.
   *
   * @throws {@link BasicError} `E_CONFIG` without a table, `E_INDEX_RANGE` for a token outside of it.
   */
  constructor(setup: ProjectorSetup, options: z.output<typeof vocabularyOptions>) {
    const { features, width, vocabulary, values } = setup;
    const { tokens, hidden = width, weights } = options;
    const vocabularySize = vocabulary?.shape[0] ?? setup.vocabularySize;
    const size = tokens?.length ?? vocabularySize;
    if (size === undefined || (vocabulary === undefined && values === undefined)) throw noTable();
    const place = { ...setup, ...(vocabularySize !== undefined && { vocabularySize }) };
    super("vocabulary", place, { ...(tokens && { tokens }), hidden, weights });
    const table = vocabulary && values === undefined ? rowsOf(vocabulary, tokens, width) : undefined;
    const builder = this.builder(setup);
    const linear = (name: string, inFeatures: number, outFeatures: number) =>
      new Linear(builder, name, { inFeatures, outFeatures, bias: true });
    this.input = linear("0", features, hidden);
    this.#second = linear("2", hidden, hidden);
    this.#scores = linear("3", hidden, size);
    this.#vocabulary = builder.addConstant("vocabulary", [size, width], table);
    this.#softmax = weights === "softmax";
  }

  /** Mixtures by softmax have the table's own size. */
  get scaling(): readonly Parameter[] {
    if (this.#softmax) return [];
    const { weight, bias } = this.#scores;
    return [weight, bias].filter((one) => one !== null);
  }

  gridAfter(grid: Grid, rows: number): ImageRows {
    return { grid, rows };
  }

  protected compute(rows: tf.Tensor2D): tf.Tensor2D {
    const inner = this.#second.call(this.input.call(rows, "gelu-erf"));
    const scores = this.#scores.call(inner);
    const weights = this.#softmax ? tf.softmax(scores) : scores;
    return tf.matMul(weights, this.#vocabulary.value as tf.Tensor2D);
  }
}

function noTable(): BasicError {
  return new BasicError(
    "E_CONFIG",
    'createProjector: "vocabulary" mixes rows of the language model\'s embedding table, but there is none. ' +
      "Pass `vocabulary` [V, D], the language model's.",
  );
}

function rowsOf(table: tf.Tensor2D, tokens: readonly number[] | undefined, width: number): tf.Tensor2D {
  if (table.shape[1] !== width) {
    throw new BasicError(
      "E_SHAPE",
      `createProjector: \`vocabulary\` has rows of width ${table.shape[1]}, but \`width\` is ${width}. Pass the table of the same language model.`,
    );
  }
  // A copy: the table's own buffer changes in place while the language model trains.
  if (tokens === undefined) return tf.mul(table, 1);
  const rows = Int32Array.from(tokens);
  const limit = table.shape[0];
  checkIndices({
    where: "createProjector",
    name: "`tokens`",
    values: rows,
    minimum: 0,
    limit,
    target: "`vocabulary`",
  });
  return tf.tidy(() => gatherRows(table, rows));
}

import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import type { Decoder } from "./decoder.js";

/**
 * Gives a language model another number of tokens, for example after `<image>` was added to its tokenizer: grows or
 * shrinks the embedding table and the head (one table where they are tied). Rows of the first tokens stay as they are;
 * new ones start as the mean of the rows before, as in LLaVA and Alpaca, so that no new token is likely or unlikely.
 *
 * Do it before an optimizer, an adapter or a projector is made of the model.
 *
 * @param size - V, the new number of tokens.
 * @throws {@link BasicError} `E_CONFIG` for a size that is no whole number from 1, or a table that is packed.
 */
export function resizeVocabulary(model: Decoder, size: number): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new BasicError(
      "E_CONFIG",
      `resizeVocabulary: the number of tokens must be a whole number from 1, got ${size}. Pass the tokenizer's size.`,
    );
  }
  for (const { name, storage } of model.vocabularyParameters) {
    if (storage === "f32") continue;
    throw new BasicError(
      "E_CONFIG",
      `resizeVocabulary: "${name}" is stored as ${storage}, and rows can be added to float32 tables only. Load the model with \`table: "f32"\`.`,
    );
  }
  if (size === model.vocabularySize) return;
  for (const table of model.vocabularyParameters) {
    table.replaceRows(tf.tidy(() => resizedTable(table.value as tf.Tensor2D, size)));
  }
  model.setVocabularySize(size);
}

function resizedTable(table: tf.Tensor2D, size: number): tf.Tensor2D {
  const [rows, width] = table.shape;
  if (size < rows) return tf.slice(table, [0, 0], [size, width]);
  const added = tf.tile(tf.mean(table, 0, true), [size - rows, 1]) as tf.Tensor2D;
  return tf.concat([table, added], 0);
}

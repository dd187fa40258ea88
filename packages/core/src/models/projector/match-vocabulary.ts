import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import type { VisualRows } from "../interfaces.js";
import type { MlpProjector } from "./projector.js";

/**
 * Scales the last product so that the mean length of the visual embeddings of `features` equals that of the
 * vocabulary's rows: mean |v| = mean |E|. Then both kinds of rows enter the LLM with the same size.
 *
 * @param features - A sample of what the projector will see, `[N, features]`.
 * @param vocabulary - E, `[V, D]`.
 * @throws {@link BasicError} `E_CONFIG` when the projector has no product or a norm after it.
 */
export function matchVocabulary(
  projector: MlpProjector,
  features: VisualRows,
  vocabulary: tf.Tensor2D,
): void {
  const last = projector.layers.at(-1);
  if (last === undefined || projector.outputNorm !== "none") {
    throw new BasicError(
      "E_CONFIG",
      "matchVocabulary: the projector has no last product to scale (identity, or `outputNorm` is set). Set outputNorm: { rms } instead.",
    );
  }
  const scale = tf.tidy(() => {
    const wanted = meanLength(vocabulary);
    const found = meanLength(projector.project(features).rows);
    return tf.div(wanted, tf.maximum(found, 1e-12));
  });
  for (const parameter of [last.weight, last.bias]) {
    parameter?.assign(tf.mul(parameter.value, scale));
  }
  scale.dispose();
}

function meanLength(rows: tf.Tensor2D): tf.Tensor {
  const lengths = tf.sqrt(tf.sum(tf.square(rows), 1));
  return tf.div(tf.sum(lengths), lengths.size);
}

import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../../errors.js";
import type { VisualRows } from "../interfaces.js";
import type { BuiltInProjector } from "./built-in-projector.js";

/**
 * Scales what a projector ends with so that the mean length of the visual embeddings of `features` equals that of the
 * vocabulary's rows: mean |v| = mean |E|. Then both kinds of rows enter the LLM with the same size.
 *
 * @param features - A sample of what the projector will see, `[N, features]`.
 * @param vocabulary - E, `[V, D]`.
 * @throws {@link BasicError} `E_CONFIG` where nothing scales the rows, or a norm fixes their size.
 */
export function matchVocabulary(
  projector: BuiltInProjector,
  features: VisualRows,
  vocabulary: tf.Tensor2D,
): void {
  const { scaling } = projector;
  if (scaling.length === 0) {
    throw new BasicError(
      "E_CONFIG",
      `matchVocabulary: nothing in the projector "${projector.name}" scales its rows: it has no products, mixes by softmax, or \`outputNorm\` fixes their size. ` +
        'Use projectorInit "default"; products alone can have outputNorm: { rms } instead.',
    );
  }
  const scale = tf.tidy(() => {
    const wanted = meanLength(vocabulary);
    const found = meanLength(projector.project(features).rows);
    return tf.div(wanted, tf.maximum(found, 1e-12));
  });
  for (const parameter of scaling) parameter.assign(tf.mul(parameter.value, scale));
  scale.dispose();
}

function meanLength(rows: tf.Tensor2D): tf.Tensor {
  const lengths = tf.sqrt(tf.sum(tf.square(rows), 1));
  return tf.div(tf.sum(lengths), lengths.size);
}

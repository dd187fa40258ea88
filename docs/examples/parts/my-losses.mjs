import { defineLoss } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/** Keeps visual embeddings near the mean length of vocabulary rows. */
export const createLengthLoss = () => ({
  name: "length",
  needs: { vocabulary: true },
  compute: ({ initial, vocabulary }) => {
    // The small number keeps the gradient of a row of zeros finite.
    const lengths = tf.sqrt(tf.add(tf.sum(tf.square(initial), 1), 1e-12)); // [N]
    const wanted = tf.mean(tf.sqrt(tf.sum(tf.square(vocabulary), 1))); // []
    return { sum: tf.sum(tf.square(tf.sub(lengths, wanted))) };
  },
});

defineLoss("length", createLengthLoss);

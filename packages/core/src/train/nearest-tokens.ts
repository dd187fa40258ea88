import * as tf from "@tensorflow/tfjs-core";

import { unitRows } from "../losses/visual-rows.js";
import { bindShapes } from "../shape.js";

/** Similarities held at once, in bytes. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/**
 * The vocabulary row nearest to each row by cosine: BASIC's token matching.
 *
 * @param rows - `[N, D]`, not on a tape.
 * @param vocabulary - E, `[V, D]`.
 * @returns `[N]` token ids; the lowest id among equals.
 * @throws {@link BasicError} `E_SHAPE` when D disagrees.
 */
export async function nearestTokens(rows: tf.Tensor2D, vocabulary: tf.Tensor2D): Promise<Int32Array> {
  const { N, V } = bindShapes("nearestTokens", {
    rows: ["ND", rows.shape],
    vocabulary: ["VD", vocabulary.shape],
  }) as { N: number; V: number };
  const best = new Float32Array(N).fill(Number.NEGATIVE_INFINITY);
  const tokens = new Int32Array(N);
  const directions = unitOf(rows);
  const width = chunkOf(N);
  for (let start = 0; start < V && N > 0; start += width) {
    const length = Math.min(width, V - start);
    const found = nearestIn(directions, vocabulary, { start, length });
    const [values, places] = await Promise.all([found.value.data(), found.place.data()]);
    tf.dispose([found.value, found.place]);
    for (let row = 0; row < N; row++) {
      if (!((values[row] as number) > (best[row] as number))) continue;
      best[row] = values[row] as number;
      tokens[row] = start + (places[row] as number);
    }
  }
  directions.dispose();
  return tokens;
}

/** Runs the kernels of {@link nearestTokens} on a part of the vocabulary, and reads nothing. */
export function walkNearestTokens(rows: tf.Tensor2D, vocabulary: tf.Tensor2D): void {
  const length = Math.min(chunkOf(rows.shape[0]), vocabulary.shape[0]);
  tf.tidy(() => {
    nearestIn(unitOf(rows), vocabulary, { start: 0, length });
  });
}

/** Vocabulary rows whose similarities to so many rows are held at once. */
function chunkOf(rows: number): number {
  return Math.max(1, Math.floor(CHUNK_BYTES / 4 / Math.max(1, rows)));
}

/** Per row, the largest similarity to a part of the vocabulary, and where in the part it is. */
function nearestIn(
  directions: tf.Tensor2D,
  vocabulary: tf.Tensor2D,
  { start, length }: { readonly start: number; readonly length: number },
): { readonly value: tf.Tensor; readonly place: tf.Tensor } {
  return tf.tidy(() => {
    const words = unitRows(tf.slice(vocabulary, [start, 0], [length, -1]));
    const similarity = tf.matMul(directions, words, false, true);
    return { value: tf.max(similarity, 1), place: tf.argMax(similarity, 1) };
  });
}

function unitOf(rows: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => unitRows(rows));
}

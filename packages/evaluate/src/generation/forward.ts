import {
  type KeyValueCache,
  type LanguageModel,
  type PackedRows,
  rowGather,
  runKernel,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/** Runs `packed` and gives the logits `[n, V]` after each of `rows`, one array after the other. */
export async function lastLogits(
  language: LanguageModel,
  input: { readonly packed: PackedRows; readonly visual: tf.Tensor2D | null; readonly cache: KeyValueCache },
  rows: Int32Array,
): Promise<Float32Array> {
  const logits = tf.tidy(() => {
    const { hidden } = language.forward(input);
    const [last] = runKernel(rowGather, { x: hidden }, { rows });
    return logitsOf(language, last as tf.Tensor2D);
  });
  const values = await logits.data<"float32">();
  logits.dispose();
  return values;
}

function logitsOf(language: LanguageModel, hidden: tf.Tensor2D): tf.Tensor2D {
  return language.logits?.(hidden) ?? headLogits(language.head, hidden);
}

/** Logits `[R, V]` of final hidden states `[R, D]` by a head that is not packed. */
export function headLogits({ weight, softcap }: LanguageModel["head"], hidden: tf.Tensor2D): tf.Tensor2D {
  const raw: tf.Tensor2D = tf.matMul(hidden, weight, false, true);
  return softcap > 0 ? tf.mul<tf.Tensor2D>(tf.tanh(tf.div(raw, softcap)), softcap) : raw;
}

/** A row for each sample of a cache; null: none. */
export function rowsOfTokens(
  tokens: readonly ({ readonly id: number; readonly position: number } | null)[],
): PackedRows {
  const rows = tokens.filter((token) => token !== null);
  const offsets = new Int32Array(tokens.length + 1);
  for (const [s, token] of tokens.entries())
    offsets[s + 1] = (offsets[s] as number) + (token === null ? 0 : 1);
  return {
    ids: Int32Array.from(rows, ({ id }) => id),
    offsets,
    positions: Int32Array.from(rows, ({ position }) => position),
    images: [],
    countsAsText: new Int32Array(rows.length).fill(1),
    labels: new Int32Array(rows.length).fill(-100),
  };
}

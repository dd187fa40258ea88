import {
  type LanguageModel,
  languageLoss,
  type PackedRows,
  supervisedTokens,
  type TrainingData,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Mean loss of a language model on documents, weighted as in training.
 *
 * @returns `nll`: nats per weighted token; `perplexity`: its exponential.
 */
export async function scorePerplexity(
  language: LanguageModel,
  data: TrainingData<{ readonly packed: PackedRows }>,
  batchSize: number,
): Promise<{ readonly nll: number; readonly perplexity: number }> {
  let sum = 0;
  let tokens = 0;
  for (let start = 0; start < data.size; start += batchSize) {
    const indices = Int32Array.from({ length: Math.min(batchSize, data.size - start) }, (_, i) => start + i);
    const { packed } = await data.batch(indices, { stage: "evaluation", step: 0, steps: 1 });
    const loss = tf.tidy(() => {
      const { hidden } = language.forward({ packed, visual: null });
      return languageLoss(hidden, language.head, packed);
    });
    sum += (await loss.data())[0] ?? 0;
    tokens += supervisedTokens(packed);
    loss.dispose();
  }
  const nll = sum / Math.max(1, tokens);
  return { nll, perplexity: Math.exp(nll) };
}

import {
  type LanguageModel,
  type PackedRows,
  rowGather,
  runKernel,
  type TrainingData,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { headLogits } from "./generation/forward.js";
import type { Answered, QuestionItem } from "./questions.js";

/** What {@link answerQuestions} reads of a batch. */
export interface QuestionBatch {
  readonly packed: PackedRows;
}

/** A model that answers, and the words of its answers. */
export interface AnsweringModel<Batch extends QuestionBatch> {
  readonly language: LanguageModel;
  /** Visual embeddings `[N, D]` of a batch; null for text only. Called inside of `tf.tidy`. */
  readonly embed: (batch: Batch) => tf.Tensor2D | null;
  /** Text of token ids. */
  readonly decode: (ids: readonly number[]) => string;
  /** Token ids of "yes" and "no"; absent where yes/no questions are not asked. */
  readonly yesNo?: readonly [yes: number, no: number];
  /** Not part of an answer when it is decoded. */
  readonly endOfSequence: number;
}

/** Which questions, and how many samples at a time. */
export interface AnswerOptions {
  readonly batchSize: number;
  /** First n questions only. */
  readonly limit?: number;
  /** Called after each batch, and awaited; what it throws ends the answers. */
  readonly onProgress?: (done: number, total: number) => void | Promise<void>;
}

/**
 * Answers test questions by teacher forcing: one forward pass per batch, no generation loop.
 *
 * A question is right when the likeliest token is the true one at every position of the answer, the end of sequence
 * included; greedy decoding gives the same verdict.
 *
 * @param data - One sample per question: its labels are the answer. In the order of `items`.
 */
export async function answerQuestions<Batch extends QuestionBatch>(
  model: AnsweringModel<Batch>,
  data: TrainingData<Batch>,
  items: readonly QuestionItem[],
  options: AnswerOptions,
): Promise<readonly Answered[]> {
  const total = Math.min(items.length, options.limit ?? items.length);
  const answers: Answered[] = [];
  for (let start = 0; start < total; start += options.batchSize) {
    const asked = items.slice(start, Math.min(total, start + options.batchSize));
    const indices = Int32Array.from(asked, (_, i) => start + i);
    const batch = await data.batch(indices, { stage: "evaluation", step: 0, steps: 1 });
    answers.push(...(await answerBatch(model, batch, asked)));
    await options.onProgress?.(answers.length, total);
  }
  return answers;
}

async function answerBatch<Batch extends QuestionBatch>(
  model: AnsweringModel<Batch>,
  batch: Batch,
  asked: readonly QuestionItem[],
): Promise<readonly Answered[]> {
  const { packed } = batch;
  const rows = Int32Array.from([...packed.labels.keys()].filter((row) => (packed.labels[row] ?? -1) >= 0));
  const [best, logProbabilities] = await readLogits(model, batch, rows);
  const byRow = new Map([...rows].map((row, i) => [row, i]));
  const width = model.language.vocabularySize;
  return asked.map((item, sample) => {
    const own = [...rows].filter(
      (row) => row >= at(packed.offsets, sample) && row < at(packed.offsets, sample + 1),
    );
    const truth = own.map((row) => at(packed.labels, row));
    const found = own.map((row) => at(best, byRow.get(row) ?? 0));
    const place = (row: number, token: number): number =>
      at(logProbabilities, (byRow.get(row) ?? 0) * width + token);
    const first = own[0];
    const yesNo = item.type === "yes" || item.type.startsWith("no-") ? model.yesNo : undefined;
    return {
      ...item,
      answer: model.decode(found.filter((id) => id !== model.endOfSequence)).trim(),
      correct: own.length > 0 && truth.every((id, i) => id === found[i]),
      nll: own.reduce((sum, row, i) => sum - place(row, truth[i] ?? 0), 0),
      tokens: own.length,
      ...(yesNo && first !== undefined && { saysYes: place(first, yesNo[0]) > place(first, yesNo[1]) }),
    };
  });
}

/** Likeliest token `[n]` and log-probabilities `[n, V]` at the rows. */
async function readLogits<Batch extends QuestionBatch>(
  model: AnsweringModel<Batch>,
  batch: Batch,
  rows: Int32Array,
): Promise<readonly [ArrayLike<number>, ArrayLike<number>]> {
  const [best, logProbabilities] = tf.tidy(() => {
    const { hidden } = model.language.forward({ packed: batch.packed, visual: model.embed(batch) });
    const [wanted] = runKernel(rowGather, { x: hidden }, { rows });
    const logits = headLogits(model.language.head, wanted as tf.Tensor2D);
    return [tf.argMax(logits, 1), tf.logSoftmax(logits)];
  }) as [tf.Tensor1D, tf.Tensor2D];
  const read = await Promise.all([best.data(), logProbabilities.data()]);
  tf.dispose([best, logProbabilities]);
  return read;
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] ?? 0;
}

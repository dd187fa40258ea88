import type { LanguageModel, PackedRows } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { lastLogits, rowsOfTokens } from "./forward.js";
import { checkedStops, type GenerateOptions, type Prompt, pauses, requireRows } from "./generate.js";
import { Sampler } from "./sampling.js";

/**
 * Continues several prompts of any lengths together: one forward pass over all of them, then one for each token, with a row
 * for every prompt that goes on. Weights are read once for all of them.
 *
 * Each prompt draws as {@link generate} would draw for it alone.
 *
 * @returns The new token ids of each prompt.
 * @throws `BasicError` As {@link generate}.
 */
export async function generateBatch(
  language: LanguageModel,
  prompts: readonly Prompt[],
  options: Omit<GenerateOptions, "onToken">,
): Promise<readonly (readonly number[])[]> {
  const { maxTokens, signal } = options;
  const stops = checkedStops(options);
  prompts.forEach(requireRows);
  if (prompts.length === 0 || maxTokens === 0) return prompts.map(() => []);
  const answers = prompts.map(({ packed }) => new OneAnswer(packed, options));
  const cache = language.createCache(prompts.length);
  const breathe = pauses();
  let input = joined(prompts);
  try {
    for (let count = 0; count < maxTokens; count++) {
      if (signal !== undefined) await breathe();
      if (signal?.aborted === true) break;
      const { offsets } = input.packed;
      const running = [...answers.keys()].filter((s) => (offsets[s + 1] as number) > (offsets[s] as number));
      const rows = Int32Array.from(running, (s) => (offsets[s + 1] as number) - 1);
      const logits = await lastLogits(language, { ...input, cache }, rows);
      if (count === 0) input.visual?.dispose();
      const width = logits.length / rows.length;
      for (const [i, s] of running.entries()) {
        answers[s]?.take(logits.subarray(i * width, (i + 1) * width), stops);
      }
      if (answers.every(({ ended }) => ended)) break;
      const next = answers.map(({ ended, last }, s) =>
        ended ? null : { id: last, position: cache.lengths[s] as number },
      );
      input = { packed: rowsOfTokens(next), visual: null };
    }
  } finally {
    cache.dispose();
    if (input.visual?.isDisposed === false) input.visual.dispose();
  }
  return answers.map(({ ids }) => ids);
}

class OneAnswer {
  readonly ids: number[] = [];
  readonly #sampler: Sampler;
  ended = false;

  constructor(packed: PackedRows, options: Omit<GenerateOptions, "onToken">) {
    this.#sampler = new Sampler(options);
    this.#sampler.see(packed.ids);
  }

  get last(): number {
    return this.ids[this.ids.length - 1] as number;
  }

  take(logits: Float32Array, stops: ReadonlySet<number>): void {
    const id = this.#sampler.next(logits);
    this.ended = stops.has(id);
    if (!this.ended) this.ids.push(id);
  }
}

/** Rows of all prompts, one prompt after the other; the visual rows are a new tensor. */
function joined(prompts: readonly Prompt[]): Prompt {
  let [row, visual] = [0, 0];
  const parts = prompts.map(({ packed }, sample) => {
    const [start, before] = [row, visual];
    row += packed.ids.length;
    visual += packed.images.reduce((sum, { length }) => sum + length, 0);
    return {
      ids: packed.ids.map((id) => (id < 0 ? id - before : id)),
      images: packed.images.map((image) => ({ ...image, sample, start: image.start + start })),
      end: row,
    };
  });
  const whole = (pick: (packed: PackedRows) => Int32Array) =>
    Int32Array.from(prompts.flatMap(({ packed }) => [...pick(packed)]));
  const tensors = prompts.flatMap(({ visual: own }) => (own === null ? [] : [own]));
  return {
    packed: {
      ids: Int32Array.from(parts.flatMap(({ ids }) => [...ids])),
      offsets: Int32Array.of(0, ...parts.map(({ end }) => end)),
      positions: whole(({ positions }) => positions),
      images: parts.flatMap(({ images }) => images),
      countsAsText: whole(({ countsAsText }) => countsAsText),
      labels: whole(({ labels }) => labels),
    },
    visual: tensors.length === 0 ? null : tf.concat2d(tensors, 0),
  };
}

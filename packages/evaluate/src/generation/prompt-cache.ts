import type { KeyValueCache, LanguageModel, PackedRows } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { lastLogits } from "./forward.js";
import type { Prompt } from "./generate.js";

/**
 * Keys and values of the rows that a model has seen, with the ids of these rows: a prompt that begins as the one before is
 * run from where they part. For one conversation with one picture; visual rows are taken for equal where their numbers are.
 */
export class PromptCache {
  readonly #language: LanguageModel;
  readonly #cache: KeyValueCache;
  #ids: number[] = [];

  constructor(language: LanguageModel) {
    this.#language = language;
    this.#cache = language.createCache();
  }

  /** Rows that are held. */
  get length(): number {
    return this.#cache.length;
  }

  /** Forgets what `prompt` does not begin with, and gives its other rows: at least the last one. */
  remainder(prompt: Prompt): Prompt {
    const start = this.#shared(prompt.packed);
    this.#cache.truncate(start);
    this.#ids.length = start;
    return start === 0 ? prompt : rowsFrom(prompt, start);
  }

  /** Runs rows that follow on those held. @returns Logits `[V]` after the last one. */
  async run(input: Prompt): Promise<Float32Array> {
    const last = Int32Array.of(input.packed.ids.length - 1);
    const logits = await lastLogits(this.#language, { ...input, cache: this.#cache }, last);
    this.#ids.push(...input.packed.ids);
    return logits;
  }

  /** Frees what is held; the next prompt begins anew. */
  dispose(): void {
    this.#cache.dispose();
    this.#ids = [];
  }

  #shared({ ids, images }: PackedRows): number {
    const differs = ids.findIndex((id, row) => id !== this.#ids[row]);
    const same = differs < 0 ? ids.length : differs;
    const most = Math.min(same, ids.length - 1);
    // An image is run whole or not at all: its rows are renumbered from 0.
    const cut = images.find(({ start, length }) => start < most && most < start + length);
    return cut?.start ?? most;
  }
}

function rowsFrom({ packed, visual }: Prompt, start: number): Prompt {
  const images = packed.images.filter((image) => image.start >= start);
  const seen = packed.images.reduce((sum, { start: at, length }) => sum + (at < start ? length : 0), 0);
  const rows = packed.ids.length - start;
  return {
    packed: {
      ids: packed.ids.slice(start).map((id) => (id < 0 ? id + seen : id)),
      offsets: Int32Array.of(0, rows),
      positions: packed.positions.slice(start),
      images: images.map((image) => ({ ...image, start: image.start - start })),
      countsAsText: packed.countsAsText.slice(start),
      labels: packed.labels.slice(start),
    },
    visual: images.length === 0 || visual === null ? null : tf.slice(visual, [seen, 0]),
  };
}

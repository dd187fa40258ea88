import * as tf from "@tensorflow/tfjs-core";

import { detach } from "../../autodiff.js";
import { BasicError } from "../../errors.js";
import type { AttentionRows } from "../../layers/attention.js";
import { gatherRows } from "../../layers/embedding.js";
import type { Observe, PackedRows } from "../interfaces.js";
import { planVisualRows, type VisualPlan } from "./packed.js";

/** What an {@link Observation} has seen; fields are present when they were asked for. */
export interface Seen {
  refined?: tf.Tensor2D;
  patchWeights?: tf.Tensor1D;
  /** `[block, rows]`. */
  blocks: [number, tf.Tensor2D][];
}

/** Accumulates what supervision asks for while the decoder runs (method.md, 2 to 4). */
export class Observation {
  readonly #observe: Observe;
  readonly #plan: VisualPlan;
  readonly #countsAsText: Int32Array;
  readonly #heads: number;
  readonly #blocks: [number, tf.Tensor2D][] = [];
  #refined: tf.Tensor2D | undefined;
  #received: tf.Tensor1D | undefined;

  /** @param heads - Query heads. */
  constructor(observe: Observe, packed: PackedRows, heads: number) {
    this.#observe = observe;
    this.#plan = planVisualRows(packed);
    this.#countsAsText = packed.countsAsText;
    this.#heads = heads;
  }

  /** What block `block` (1-based) has to report; undefined after block k. */
  receive(block: number): NonNullable<AttentionRows["receive"]> | undefined {
    if (!this.#observe.patchWeights || block > this.#depth) return undefined;
    return { countsAsText: this.#countsAsText, receiveFrom: this.#plan.receiveFrom };
  }

  /** @param x - Output of block `block` `[R, D]`; block 0 is the input. */
  after(block: number, x: tf.Tensor2D, received: tf.Tensor1D | undefined): void {
    const weight = block === 0 ? undefined : this.#observe.layerWeights[block - 1];
    const asked = this.#observe.blocks?.includes(block) === true;
    if (weight !== undefined || asked) {
      const rows = gatherRows(x, this.#plan.rows);
      if (weight !== undefined) this.#addRefined(weight, rows);
      if (asked) this.#blocks.push([block, rows]);
      else rows.dispose();
    }
    if (received !== undefined) this.#received = plus(this.#received, received);
  }

  /** Results so far, for `tf.tidy` to keep. */
  get seen(): Seen {
    const seen: Seen = { blocks: this.#blocks };
    if (this.#refined !== undefined) seen.refined = this.#refined;
    if (this.#received !== undefined) seen.patchWeights = this.#averageReceived(this.#received);
    return seen;
  }

  get #depth(): number {
    return this.#observe.layerWeights.length;
  }

  #addRefined(weight: number, rows: tf.Tensor2D): void {
    // Rows and sums of all blocks together would be several times what the decoder keeps.
    const sum = this.#refined;
    this.#refined = tf.tidy(() =>
      plus(sum, tf.mul<tf.Tensor2D>(this.#observe.stopGradient ? detach(rows) : rows, weight)),
    );
    sum?.dispose();
  }

  /** a_j = received_j / (k · n · count_j), 0 where no text row counts. */
  #averageReceived(received: tf.Tensor1D): tf.Tensor1D {
    const { rows, counts } = this.#plan;
    const blocks = this.#depth * this.#heads;
    const factors = Float32Array.from(counts, (count) => (count === 0 ? 0 : 1 / (blocks * count)));
    const perRow = gatherRows(tf.reshape(received, [received.size, 1]), rows);
    return detach(tf.mul<tf.Tensor1D>(tf.reshape(perRow, [rows.length]), tf.tensor1d(factors)));
  }
}

function plus<T extends tf.Tensor>(sum: T | undefined, term: T): T {
  return sum === undefined ? term : tf.add<T>(sum, term);
}

/**
 * Checks an {@link Observe} against the decoder.
 *
 * @throws {@link BasicError} `E_CONFIG` when more blocks are observed than there are, or patch weights are
 *   asked for without layer weights (which say over how many blocks).
 */
export function checkObserve(observe: Observe, depth: number): void {
  if (observe.layerWeights.length > depth) {
    throw new BasicError(
      "E_CONFIG",
      `forward: ${observe.layerWeights.length} layer weights were given for a model of ${depth} blocks.`,
    );
  }
  const outside = observe.blocks?.find((block) => !Number.isInteger(block) || block < 0 || block > depth);
  if (outside !== undefined) {
    throw new BasicError(
      "E_CONFIG",
      `forward: block ${outside} was asked for; blocks are 0 (input) to ${depth}.`,
    );
  }
  if (observe.patchWeights && observe.layerWeights.length === 0) {
    throw new BasicError(
      "E_CONFIG",
      "forward: patch weights are averaged over the blocks of `layerWeights`, which is empty. Give at least one.",
    );
  }
}

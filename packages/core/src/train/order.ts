import { createRandom } from "../random.js";

/** What the order of a stage's samples depends on. */
export interface OrderOptions {
  readonly seed: number;
  readonly stage: string;
  /** Samples of the data set. */
  readonly size: number;
  /** Samples of one micro-batch. */
  readonly batchSize: number;
  /** Micro-batches of one optimizer step, over all ranks. */
  readonly microBatches: number;
  /** False: 0, 1, 2, ... over and over. */
  readonly shuffle: boolean;
}

/** Which samples a micro-batch holds, by its place alone: step s needs no history. */
export interface SampleOrder {
  /**
   * Sample indices of a micro-batch.
   *
   * @param step - Optimizer step in the stage, from 0.
   * @param microBatch - From 0.
   */
  indices(step: number, microBatch: number): Int32Array;
}

/** Every epoch is a permutation of its own, from (seed, stage, epoch); batches run over the ends of epochs. */
export function createOrder(options: OrderOptions): SampleOrder {
  const { seed, stage, size, batchSize, microBatches, shuffle } = options;
  // A batch can touch two epochs, and the loop asks in order: two are enough.
  const recent = new Map<number, Int32Array>();
  const permutation = (epoch: number): Int32Array => {
    const known = recent.get(epoch);
    if (known !== undefined) return known;
    const order = createRandom(seed, "order", stage, epoch).permutation(size);
    if (recent.size === 2) recent.delete(recent.keys().next().value as number);
    recent.set(epoch, order);
    return order;
  };
  return {
    indices: (step, microBatch) => {
      const start = (step * microBatches + microBatch) * batchSize;
      return Int32Array.from({ length: batchSize }, (_, i) => {
        const place = (start + i) % size;
        return shuffle ? (permutation(Math.floor((start + i) / size))[place] as number) : place;
      });
    },
  };
}

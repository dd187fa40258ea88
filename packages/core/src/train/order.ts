import { createRandom, type Random } from "../random.js";
import type { SampleSizes } from "./objective.js";

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
  /** Steps of samples with images and steps of text alone, with micro-batches of like row numbers; null: any samples. */
  readonly sizes?: SampleSizes | null;
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

/**
 * Every epoch is a permutation of its own, from (seed, stage, epoch); batches run over the ends of epochs.
 *
 * With `sizes` the samples of a step are of one kind, as LLaVA's `group_by_modality_length` does, but for the steps at
 * the ends of an epoch, which take what fills no step of its kind.
 */
export function createOrder(options: OrderOptions): SampleOrder {
  const { seed, stage, size, batchSize, microBatches, shuffle, sizes = null } = options;
  // A batch can touch two epochs, and the loop asks in order: two are enough.
  const recent = new Map<number, Int32Array>();
  const permutation = (epoch: number): Int32Array => {
    const known = recent.get(epoch);
    if (known !== undefined) return known;
    const random = createRandom(seed, "order", stage, epoch);
    const plain = random.permutation(size);
    const begun = (epoch * size) % (batchSize * microBatches);
    const order = sizes === null ? plain : grouped(plain, random, { sizes, batchSize, microBatches, begun });
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

interface Grouping {
  readonly sizes: SampleSizes;
  readonly batchSize: number;
  readonly microBatches: number;
  /** Samples that the last step of the epoch before has already. */
  readonly begun: number;
}

/** A permutation whose steps hold samples of one kind. */
function grouped(order: Int32Array, random: Random, grouping: Grouping): Int32Array {
  const { sizes, batchSize, microBatches, begun } = grouping;
  const length = batchSize * microBatches;
  const steps: Int32Array[] = [];
  const rest: number[] = [];
  for (const isVisual of [true, false]) {
    const kind = order.filter((index) => Boolean(sizes.visual[index]) === isVisual);
    const whole = kind.length - (kind.length % length);
    for (let at = 0; at < whole; at += length) steps.push(kind.slice(at, at + length));
    rest.push(...kind.subarray(whole));
  }
  const shuffled = Array.from(random.permutation(steps.length), (i) => steps[i] as Int32Array);
  const missing = begun === 0 ? 0 : Math.min(order.length, length - begun);
  // Too little is left to end the step that the epoch before began.
  while (rest.length < missing) rest.push(...(shuffled.pop() as Int32Array));
  const first = rest.slice(0, missing);
  const body = shuffled.flatMap((step) => balanced(step, grouping));
  return Int32Array.from([...first, ...body, ...rest.slice(missing)]);
}

/** Deals the samples of a step out, the longest first, each to the micro-batch with the fewest rows and a place left. */
function balanced(step: Int32Array, { sizes, batchSize, microBatches }: Grouping): readonly number[] {
  const rowsOf = (index: number): number => sizes.rows[index] ?? 0;
  const batches = Array.from({ length: microBatches }, () => ({ rows: 0, samples: [] as number[] }));
  for (const index of Array.from(step).sort((a, b) => rowsOf(b) - rowsOf(a))) {
    const open = batches.filter(({ samples }) => samples.length < batchSize);
    const least = open.reduce((best, batch) => (batch.rows < best.rows ? batch : best));
    least.samples.push(index);
    least.rows += rowsOf(index);
  }
  return batches.flatMap(({ samples }) => samples);
}

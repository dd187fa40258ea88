import * as tf from "@tensorflow/tfjs-core";

import { detach, valueAndGradients } from "../autodiff.js";
import { BasicError } from "../errors.js";
import { withDropout } from "../layers/dropout.js";
import type { Optimizer } from "../optim/adamw.js";
import type { Parameter } from "../parameters.js";
import type { Collective } from "./collective.js";
import type { Counts, Objective, StepPosition } from "./objective.js";

/** How sums of micro-batches become one loss (method.md, 9). */
export type LossReduction = "global" | "mean-of-means";

/** One optimizer step to compute. */
export interface StepInput<Batch> {
  readonly objective: Objective<Batch>;
  /** All micro-batches of this rank. */
  readonly batches: readonly Batch[];
  readonly position: StepPosition;
  readonly reduction: LossReduction;
  readonly collective: Collective;
}

/** Value of one loss part over the whole step; the tensor is the owner's to dispose. */
export interface PartValue {
  /** Unweighted mean, scalar `[]`. */
  readonly value: tf.Scalar;
  readonly weight: number;
}

/** Gradients of one optimizer step, on the device. Dispose with {@link disposeStep}. */
export interface StepGradients {
  /** Scalar `[]`: sum of the weighted parts. */
  readonly loss: tf.Scalar;
  readonly parts: ReadonlyMap<string, PartValue>;
  readonly gradients: readonly tf.Tensor[];
  /** Over all micro-batches and ranks. */
  readonly totals: Counts;
}

/**
 * Loss and gradients of one optimizer step: totals are counted first, then gradients only add.
 *
 * @param parameters - What to differentiate by.
 */
export async function stepGradients<Batch>(
  input: StepInput<Batch>,
  parameters: readonly Parameter[],
): Promise<StepGradients> {
  const { objective, batches, collective } = input;
  const counts = batches.map((batch) => objective.count(batch));
  const totals = await sumCounts(counts, collective);
  return { ...(await reduce(ownGradients(input, { parameters, counts, totals }), collective)), totals };
}

/** The sum over the micro-batches of this rank. */
function ownGradients<Batch>(
  input: StepInput<Batch>,
  call: { parameters: readonly Parameter[]; counts: readonly Counts[]; totals: Counts },
): MicroBatch {
  const { batches, collective } = input;
  const { parameters, counts, totals } = call;
  let sum: MicroBatch | undefined;
  for (const [i, batch] of batches.entries()) {
    const divisors = divisorsOf(counts[i] as Counts, totals, input);
    try {
      // Its number in the step: ranks take turns.
      const microBatch = i * collective.size + collective.rank;
      const next = backward(input, { batch, divisors, parameters, microBatch });
      sum = sum === undefined ? next : addMicroBatches(sum, next);
    } catch (error) {
      if (sum !== undefined) disposeStep(sum);
      throw error;
    }
  }
  return sum as MicroBatch;
}

/** One optimizer step: gradients, then the update. Nothing is read back; gradients are disposed. */
export async function trainStep<Batch>(
  input: StepInput<Batch>,
  optimizer: Optimizer,
  rate: number,
): Promise<Omit<StepGradients, "gradients"> & { readonly norm: tf.Scalar }> {
  const { gradients, ...outcome } = await stepGradients(input, optimizer.parameters);
  const { norm } = optimizer.update(gradients, { rate, loss: outcome.loss });
  tf.dispose([...gradients]);
  return { ...outcome, norm };
}

/**
 * Goes through {@link trainStep} at once and without other ranks, for a backend that computes nothing meanwhile. Leaves
 * nothing behind.
 */
export function walkStep<Batch>(input: StepInput<Batch>, optimizer: Optimizer): void {
  const counts = input.batches.map((batch) => input.objective.count(batch));
  const call = { parameters: optimizer.parameters, counts, totals: totalsOf(counts) };
  const { gradients, ...outcome } = ownGradients(input, call);
  const { norm } = optimizer.update(gradients, { rate: 0, loss: outcome.loss });
  stackScalars({ ...outcome, norm }).dispose();
  disposeStep({ ...outcome, gradients, norm });
}

/** Loss, gradient norm and the parts in their order, `[2 + parts]`: a log reads them at once. The caller's to dispose. */
export function stackScalars({
  loss,
  norm,
  parts,
}: Pick<StepGradients, "loss" | "parts"> & { readonly norm: tf.Scalar }): tf.Tensor1D {
  return tf.stack([loss, norm, ...[...parts.values()].map(({ value }) => value)]) as tf.Tensor1D;
}

type MicroBatch = Omit<StepGradients, "totals">;

async function sumCounts(counts: readonly Counts[], collective: Collective): Promise<Counts> {
  const { tokens, samples } = totalsOf(counts);
  const [allTokens, allSamples] = await collective.sumNumbers([tokens, samples]);
  return { tokens: allTokens as number, samples: allSamples as number };
}

function totalsOf(counts: readonly Counts[]): Counts {
  return {
    tokens: counts.reduce((sum, count) => sum + count.tokens, 0),
    samples: counts.reduce((sum, count) => sum + count.samples, 0),
  };
}

function divisorsOf<Batch>(own: Counts, totals: Counts, input: StepInput<Batch>): Counts {
  if (input.reduction === "global") return totals;
  const microBatches = input.batches.length * input.collective.size;
  return { tokens: own.tokens * microBatches, samples: own.samples * microBatches };
}

function backward<Batch>(
  input: StepInput<Batch>,
  call: { batch: Batch; divisors: Counts; parameters: readonly Parameter[]; microBatch: number },
): MicroBatch {
  const parts = new Map<string, PartValue>();
  const { stage, step } = input.position;
  const key = { stage, step, microBatch: call.microBatch };
  const loss = () => {
    const terms: tf.Scalar[] = [];
    const computed = withDropout(key, () => input.objective.parts(call.batch, input.position));
    for (const { name, sum, per, weight } of computed) {
      if (parts.has(name)) throw duplicatePart(name);
      // No label or no image: the part is 0, not NaN.
      const divisor = call.divisors[per];
      const mean = divisor === 0 ? tf.scalar(0) : (tf.mul(sum, 1 / divisor) as tf.Scalar);
      parts.set(name, { value: tf.keep(detach(mean)), weight });
      if (weight !== 0 && divisor !== 0) terms.push(tf.mul(mean, weight) as tf.Scalar);
    }
    return terms.length === 0 ? tf.scalar(0) : terms.reduce((total, term) => tf.add(total, term));
  };
  try {
    const values = call.parameters.map((parameter) => parameter.value);
    const { value, gradients } = valueAndGradients(loss, values);
    return { loss: value, gradients, parts };
  } catch (error) {
    for (const { value } of parts.values()) value.dispose();
    throw error;
  }
}

function duplicatePart(name: string): BasicError {
  return new BasicError(
    "E_NAME_DUPLICATE",
    `The objective gives two loss parts named "${name}", but metrics hold one of each name. ` +
      "Give one of them another name, or leave it out.",
  );
}

function addMicroBatches(a: MicroBatch, b: MicroBatch): MicroBatch {
  const parts = new Map(a.parts);
  for (const [name, part] of b.parts) {
    const before = parts.get(name);
    parts.set(
      name,
      before === undefined ? part : { ...part, value: addAndDispose(before.value, part.value) },
    );
  }
  return {
    loss: addAndDispose(a.loss, b.loss),
    parts,
    gradients: a.gradients.map((gradient, i) => addAndDispose(gradient, b.gradients[i] as tf.Tensor)),
  };
}

function addAndDispose<T extends tf.Tensor>(a: T, b: T): T {
  const sum = tf.add<T>(a, b);
  a.dispose();
  b.dispose();
  return sum;
}

/** Sums over ranks: gradients, the loss and its parts in one call. */
async function reduce(own: MicroBatch, collective: Collective): Promise<MicroBatch> {
  const partValues = [...own.parts.values()].map(({ value }) => value);
  const [loss, ...rest] = await collective.sumTensors([own.loss, ...partValues, ...own.gradients]);
  const names = [...own.parts.keys()];
  const parts = new Map<string, PartValue>();
  for (const [i, name] of names.entries()) {
    parts.set(name, { value: rest[i] as tf.Scalar, weight: own.parts.get(name)?.weight as number });
  }
  return { loss: loss as tf.Scalar, parts, gradients: rest.slice(names.length) };
}

/** Frees what a step left on the device. */
export function disposeStep(step: {
  readonly loss: tf.Scalar;
  readonly parts: ReadonlyMap<string, PartValue>;
  readonly norm?: tf.Scalar;
  readonly gradients?: readonly tf.Tensor[];
}): void {
  const parts = [...step.parts.values()].map(({ value }) => value);
  tf.dispose([
    step.loss,
    ...parts,
    ...(step.gradients ?? []),
    ...(step.norm === undefined ? [] : [step.norm]),
  ]);
}

import type * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "../errors.js";
import { copyToHost, type Optimizer } from "../optim/adamw.js";
import { listCheckpoints } from "./checkpoint.js";
import type { RunStore } from "./run-store.js";
import { disposeStep, type StepInput, stepGradients } from "./step.js";

/** What {@link notFinite} looks at. */
export interface NotFiniteInput<Batch> {
  /** The first step that was not finite, with its own batches: the weights have not changed since. */
  readonly input: StepInput<Batch>;
  readonly optimizer: Optimizer;
  readonly store: RunStore;
}

/**
 * Explains a run that went NaN or infinite: repeats the step and looks for the first bad value.
 *
 * @returns `E_NOT_FINITE` with the step, the bad loss parts, the first bad parameter group and the last checkpoint.
 */
export async function notFinite<Batch>({
  input,
  optimizer,
  store,
}: NotFiniteInput<Batch>): Promise<BasicError> {
  const step = await stepGradients(input, optimizer.parameters);
  const badParts: string[] = [];
  for (const [name, { value }] of step.parts) {
    if (!(await allFinite(value))) badParts.push(`"${name}"`);
  }
  const place = await firstBadValue(optimizer, step.gradients);
  disposeStep(step);
  const last = (await listCheckpoints(store)).at(-1);
  const { stage, step: number } = input.position;
  return new BasicError(
    "E_NOT_FINITE",
    `Training stopped: step ${number + 1} of stage "${stage}" gave NaN or infinite numbers. ` +
      `${badParts.length === 0 ? "The losses are finite" : `Bad losses: ${badParts.join(", ")}`}; ${place}. ` +
      `${last === undefined ? "There is no checkpoint yet" : `The last good checkpoint is kept: ${last}`}. ` +
      "Lower the learning rate, lengthen the warm-up, or look at the samples of that step.",
  );
}

async function allFinite(tensor: tf.Tensor): Promise<boolean> {
  return (await copyToHost(tensor)).every(Number.isFinite);
}

async function firstBadValue(optimizer: Optimizer, gradients: readonly tf.Tensor[]): Promise<string> {
  for (const { group, parameter } of optimizer.slots) {
    if (await allFinite(parameter.value)) continue;
    return `the first bad weight is "${parameter.name}" of group "${group}"`;
  }
  for (const [i, { group, parameter }] of optimizer.slots.entries()) {
    const gradient = gradients[i];
    if (gradient === undefined || (await allFinite(gradient))) continue;
    return `the first bad gradient is that of "${parameter.name}" of group "${group}"`;
  }
  return "every weight and gradient alone is finite, but their norm is too large";
}

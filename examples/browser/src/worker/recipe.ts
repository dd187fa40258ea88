import { parseRecipe, type VlmRecipe } from "@basic-mllm/core";
import { quickstart } from "@basic-mllm/recipes";

import type { RunLength } from "../protocol.js";

/** How much work a run is. */
export interface RunSize {
  /** Steps of a stage that has so many in the recipe. */
  readonly steps: (whole: number) => number;
  /** Samples of one step. Default: the recipe's. */
  readonly batchSize?: number;
  /** Pictures that the statistics of the features are taken from. The command line takes them from all of the first stage. */
  readonly measured: number;
  /** Pictures that the projector's output is fitted to the vocabulary on, before the first step. */
  readonly matched: number;
  /** Pictures by an unseen artist that are asked about, seven questions each: during the run and at its end. */
  readonly asked: { readonly during: number; readonly final: number };
}

const FULL = { measured: 512, matched: 64, asked: { during: 16, final: 64 } };
/** Checkpoints and evaluations are at least this many steps apart. */
const APART = 5;

export const RUN_SIZES: Readonly<Record<RunLength, RunSize>> = {
  whole: { ...FULL, steps: (whole) => whole },
  quarter: { ...FULL, steps: (whole) => whole / 4 },
  taste: { ...FULL, steps: (whole) => whole / 50 },
  // A software adapter takes a second for a step of this.
  trial: { steps: () => 4, batchSize: 4, measured: 32, matched: 16, asked: { during: 2, final: 2 } },
};

/**
 * The quickstart recipe for a page: its stages, losses and rates as they are, the steps scaled. Metrics and checkpoints
 * come more often, since the visitor watches and the tab may lose its device at any time.
 */
export function pageRecipe(length: RunLength): VlmRecipe {
  const { batchSize, ...size } = RUN_SIZES[length];
  const stages = Object.entries(quickstart.stages).map(([name, stage]) => {
    const whole = stage.steps as number;
    const steps = Math.max(1, Math.round(size.steps(whole)));
    const scaled = (of: number): number => Math.round((of * steps) / whole);
    const losses = Object.entries(stage.losses).map(
      ([loss, setting]) => [loss, { ...setting, ramp: scaled(setting.ramp) }] as const,
    );
    const own = {
      ...stage,
      steps,
      losses: Object.fromEntries(losses),
      evaluateEvery: stage.evaluateEvery === 0 ? 0 : Math.max(APART, scaled(stage.evaluateEvery)),
      checkpointEvery: Math.max(APART, scaled(100)),
      logEvery: whole / steps > 10 ? 1 : 5,
      // Batches are made between steps: the worker then serves the page as well.
      prefetch: 0,
      ...(batchSize !== undefined && { batchSize }),
    };
    return [name, own] as const;
  });
  return parseRecipe({ ...quickstart, stages: Object.fromEntries(stages) }) as VlmRecipe;
}

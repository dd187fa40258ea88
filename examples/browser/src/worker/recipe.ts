import { parseRecipe, type VlmRecipe } from "@basic-mllm/core";
import { quickstart } from "@basic-mllm/recipes";

import type { RunLength } from "../protocol.js";

/** Share of the recipe's steps. */
const SHARES: Readonly<Record<RunLength, number>> = { whole: 1, quarter: 0.25, taste: 0.02 };

/**
 * The quickstart recipe for a page: its stages, losses and rates as they are, the steps scaled. Metrics and checkpoints
 * come more often, since the visitor watches and the tab may lose its device at any time.
 */
export function pageRecipe(length: RunLength): VlmRecipe {
  const share = SHARES[length];
  const scaled = (steps: number): number => Math.max(1, Math.round(steps * share));
  const stages = Object.entries(quickstart.stages).map(([name, stage]) => {
    const losses = Object.entries(stage.losses).map(
      ([loss, setting]) => [loss, { ...setting, ramp: Math.round(setting.ramp * share) }] as const,
    );
    const evaluateEvery = stage.evaluateEvery === 0 ? 0 : scaled(stage.evaluateEvery);
    const own = {
      ...stage,
      steps: scaled(stage.steps as number),
      losses: Object.fromEntries(losses),
      evaluateEvery,
      checkpointEvery: Math.max(5, scaled(100)),
      logEvery: length === "taste" ? 1 : 5,
      // Batches are made between steps: the worker then serves the page as well.
      prefetch: 0,
    };
    return [name, own] as const;
  });
  return parseRecipe({ ...quickstart, stages: Object.fromEntries(stages) }) as VlmRecipe;
}

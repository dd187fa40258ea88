/** How the learning rate falls after the warm-up. */
export type ScheduleKind = "cosine" | "linear" | "constant";

/** A learning-rate curve of one stage. */
export interface Schedule {
  readonly kind: ScheduleKind;
  /** Optimizer steps of the stage. */
  readonly steps: number;
  /** Steps of linear warm-up, from 0. */
  readonly warmupSteps: number;
  /** Factor at the end, 0 to 1; `constant` ignores it. */
  readonly floor: number;
}

/** Warm-up as a number of steps, or as a share of the stage (`ceil(ratio * steps)`, as Hugging Face counts it). */
export type Warmup = number | { readonly ratio: number };

/** Turns a warm-up of a recipe into steps. */
export function resolveWarmup(warmup: Warmup, steps: number): number {
  return typeof warmup === "number" ? warmup : Math.ceil(warmup.ratio * steps);
}

/**
 * What the learning rate is multiplied by at an optimizer step (from 0).
 *
 * Warm-up is `step / warmupSteps`, so step 0 has factor 0, as in Hugging Face's schedules.
 */
export function learningRateFactor(step: number, schedule: Schedule): number {
  const { kind, steps, warmupSteps, floor } = schedule;
  if (step < warmupSteps) return step / warmupSteps;
  if (kind === "constant") return 1;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps));
  const falling = kind === "cosine" ? 0.5 * (1 + Math.cos(Math.PI * progress)) : 1 - progress;
  return floor + (1 - floor) * falling;
}

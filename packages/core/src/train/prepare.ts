import * as tf from "@tensorflow/tfjs-core";

import type { RecipeStage } from "../recipe.js";
import { createStageOptimizer } from "./freeze.js";
import { type StepInput, walkStep } from "./step.js";

/** A backend that can compile kernels before they run. */
export interface PreparingBackend {
  /**
   * Compiles the kernels that `body` would run, side by side, while the process goes on.
   *
   * @param body - Is gone through at once, without computing anything: no value changes. It disposes what it makes.
   * @param onCompile - Gets the number of kernels before they are compiled. Not called where all are there.
   */
  prepare(body: () => void, onCompile?: (kernels: number) => void): Promise<void>;
}

/** Whether the current backend is a {@link PreparingBackend}. */
export function canPrepare(): boolean {
  return (tf.backend() as Partial<PreparingBackend>).prepare !== undefined;
}

/**
 * Compiles the kernels of a stage on a {@link PreparingBackend}: a step is gone through as it stands, and as the last one of
 * the stage, where losses that begin late are there. Parameters are as before. Any other backend does nothing.
 *
 * @param onCompile - See {@link PreparingBackend.prepare}.
 */
export async function prepareStep<Batch>(
  stage: RecipeStage,
  input: StepInput<Batch>,
  onCompile: (kernels: number) => void,
): Promise<void> {
  const backend = tf.backend() as Partial<PreparingBackend>;
  const { position, objective, batches } = input;
  const steps = new Set([position.step, position.steps - 1]);
  await backend.prepare?.(() => {
    const optimizer = createStageOptimizer(stage, objective.groups);
    try {
      const [first] = batches;
      if (first !== undefined) objective.walkDiagnostics?.(first, position);
      for (const step of steps) walkStep({ ...input, position: { ...position, step } }, optimizer);
    } finally {
      optimizer.dispose();
    }
  }, onCompile);
}

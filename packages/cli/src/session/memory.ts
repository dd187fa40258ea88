import { type Recipe, resolveSteps } from "@basic-mllm/core";

import { bytes, table } from "../terminal.js";
import type { TaskSession } from "./task.js";

/** Bytes per value of a parameter that trains: itself, its gradient and AdamW's two moments. */
const TRAINED_BYTES = 16;
const FROZEN_BYTES = 4;

/** Memory of one stage, in bytes. */
export interface StageMemory {
  readonly stage: string;
  readonly steps: number;
  readonly weights: number;
  /** Rough: saved tensors of one micro-batch. */
  readonly activations: number;
}

/**
 * Estimates the memory of each stage: weights, gradients and moments exactly, activations by the rule of thumb of
 * 34 values per row, block and width of a transformer that saves its layers' inputs.
 */
export async function estimateMemory<Batch>(
  recipe: Recipe,
  session: TaskSession<Batch>,
): Promise<readonly StageMemory[]> {
  return Promise.all(
    Object.entries(recipe.stages).map(async ([name, stage]) => {
      const data = await session.data(name);
      const weights = session.parts.reduce((sum, part) => {
        return sum + part.parameters * (stage.train.includes(part.name) ? TRAINED_BYTES : FROZEN_BYTES);
      }, 0);
      const indices = Int32Array.from({ length: Math.min(stage.batchSize, data.size) }, (_, i) => i);
      const batch = await data.batch(indices, { stage: name, step: 0, steps: 1 });
      const { depth, width } = session.backbone;
      return {
        stage: name,
        steps: resolveSteps(stage, data.size),
        weights,
        activations: session.rows(batch) * depth * width * 34 * 4,
      };
    }),
  );
}

/** The estimate as a table. */
export function memoryTable(stages: readonly StageMemory[]): string {
  const rows = stages.map((s) => [s.stage, String(s.steps), bytes(s.weights), bytes(s.activations)]);
  return table(["STAGE", "STEPS", "WEIGHTS, GRADIENTS, MOMENTS", "ACTIVATIONS, ABOUT"], rows);
}

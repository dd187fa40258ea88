import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainEvent } from "@basic-mllm/core";
import { fileVersionEvent, scalarEvent } from "@basic-mllm/evaluate";

/** Writes the run's scalars to a TensorBoard event file as they come. */
export interface EventWriter {
  see(event: TrainEvent): void;
  close(): Promise<void>;
}

/** A new event file in the run folder; each start of a run has its own, as TensorBoard expects. */
export function createEventWriter(folder: string): EventWriter {
  const file = join(folder, `events.out.tfevents.${Math.floor(Date.now() / 1000)}.basic-mllm`);
  let pending = appendFile(file, fileVersionEvent(Date.now() / 1000));
  return {
    see: (event) => {
      const scalars = scalarsOf(event);
      if (scalars === undefined) return;
      const record = scalarEvent(Date.now() / 1000, scalars.step, scalars.values);
      pending = pending.then(() => appendFile(file, record));
    },
    close: () => pending,
  };
}

function scalarsOf(event: TrainEvent): { step: number; values: Record<string, number> } | undefined {
  if (event.kind !== "metrics") return undefined;
  const { line } = event;
  if (line.kind === "evaluation")
    return { step: line.globalStep, values: prefixed(line.split, line.metrics) };
  if (line.kind !== "train") return undefined;
  const { loss, learningRate, gradientNorm, tokensPerSecond } = line;
  const values = {
    "train/loss": loss,
    "train/learning_rate": learningRate,
    "train/gradient_norm": gradientNorm,
    "train/tokens_per_second": tokensPerSecond,
    ...prefixed("loss", line.parts),
    ...prefixed("diagnostics", line.diagnostics ?? {}),
  };
  return { step: line.globalStep, values };
}

function prefixed(prefix: string, values: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}/${name}`, value]));
}

import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainEvent } from "@basic-mllm/core";
import { fileVersionEvent, scalarEvent } from "@basic-mllm/evaluate";

/** Writes the run's scalars to a TensorBoard event file as they come. */
export interface EventWriter {
  see(event: TrainEvent): void;
  /** Resolves when all is written. */
  close(): Promise<void>;
}

/**
 * A new event file in the run folder, made with the first event; each start of a run has its own, as TensorBoard
 * expects. Its scalars are in metrics.jsonl too, so a file that cannot be written stops no training: one warning, and
 * the run goes on without it.
 *
 * @param warn - Told once.
 */
export function createEventWriter(folder: string, warn: (text: string) => void): EventWriter {
  const file = join(folder, `events.out.tfevents.${Math.floor(Date.now() / 1000)}.basic-mllm`);
  let pending: Promise<unknown> | undefined;
  let failed = false;
  const append = async (record: Uint8Array): Promise<void> => {
    if (failed) return;
    try {
      await appendFile(file, record);
    } catch (error) {
      failed = true;
      const reason = error instanceof Error ? error.message : String(error);
      warn(`${file} cannot be written, so TensorBoard shows only part of this run: ${reason}`);
    }
  };
  return {
    see: (event) => {
      pending ??= append(fileVersionEvent(Date.now() / 1000));
      const scalars = scalarsOf(event);
      if (scalars === undefined) return;
      const record = scalarEvent(Date.now() / 1000, scalars.step, scalars.values);
      pending = pending.then(() => append(record));
    },
    close: async () => {
      await pending;
    },
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

import { existsSync } from "node:fs";
import { join } from "node:path";
import { RECIPE_FILE, type StartedBackend } from "@basic-mllm/core";

import { EVALUATION_FILE, hasBlindStages } from "./blind-baseline.js";
import { runCliProcess } from "./cli-process.js";
import type { PartSummary } from "./task.js";
import type { TrainRunOptions } from "./train-run.js";

/** Parameters up to this size leave little to do for a second thread, and little memory for a second process. */
const SMALL_BYTES = 100e6;

/** A run whose baseline may train beside it. */
export interface RunBeside {
  readonly options: TrainRunOptions;
  readonly backend: StartedBackend;
  readonly parts: readonly PartSummary[];
}

/**
 * Trains a run, and its baseline without pictures at the same time in a process of its own, which gets half of the
 * threads: two processes use small kernels better than one does. Otherwise the baseline is left for later.
 *
 * The baseline's lines appear where they disturb no progress bar: at once in a log, else after the run's own.
 *
 * @throws What `body` throws, after the baseline has saved and stopped; else what the baseline ended with.
 */
export async function withBlindBeside<T>(run: RunBeside, body: () => Promise<T>): Promise<T> {
  const { options, backend } = run;
  const share = shareOf(run);
  if (share === null) return body();
  const all = backend.threads?.count() ?? 1;
  const { terminal } = options;
  terminal.line(`  the baseline without pictures trains beside it, on ${share} of ${all} threads`);
  const lines = relay(terminal.line, terminal.interactive);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const ended = runCliProcess({ ...commandOf(options, share), signal, onLine: lines.take });
  const settled = ended.then(
    () => backend.threads?.set(all),
    () => backend.threads?.set(all),
  );
  backend.threads?.set(all - share);
  try {
    const result = await body();
    lines.open();
    await ended;
    return result;
  } finally {
    stop.abort();
    await settled;
    lines.open();
  }
}

/** Threads of the baseline's process; null where there is to be none. */
function shareOf({ options, backend, parts }: RunBeside): number | null {
  const { recipe, out, besideCommand, memoryLimit, blind, signal } = options;
  if (besideCommand === undefined || memoryLimit !== undefined || blind === true || signal.aborted)
    return null;
  if (recipe.task !== "vlm" || !recipe.evaluation.blind || !hasBlindStages(recipe)) return null;
  if (existsSync(join(out, "blind", EVALUATION_FILE))) return null;
  if (parts.reduce((sum, { bytes }) => sum + bytes, 0) > SMALL_BYTES) return null;
  const share = Math.floor((backend.threads?.count() ?? 1) / 2);
  return share < 1 ? null : share;
}

function commandOf({ out, cache, besideCommand, resume }: TrainRunOptions, threads: number) {
  const { program, command } = besideCommand as NonNullable<TrainRunOptions["besideCommand"]>;
  const started = existsSync(join(out, "blind", RECIPE_FILE));
  const again = started ? ["--resume", ...(resume === "previous" ? ["--previous"] : [])] : [];
  return {
    program,
    command: [...command, "--blind", "--out", out, "--threads", String(threads), ...again],
    cache,
    name: "baseline without pictures",
  };
}

/** Holds lines back until `open` is called, where they are to be held. */
function relay(print: (line: string) => void, held: boolean) {
  const waiting: string[] = [];
  let open = !held;
  return {
    take: (line: string): void => {
      if (open) print(line);
      else waiting.push(line);
    },
    open: (): void => {
      open = true;
      for (const line of waiting.splice(0)) print(line);
    },
  };
}

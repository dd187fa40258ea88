import { BasicError } from "@basic-mllm/core";

import type { Terminal } from "../terminal.js";

/** What {@link reportProgress} is told. */
export interface ReportWatch {
  readonly terminal: Terminal;
  /** When it aborts, the analysis stops at its next piece of work. */
  readonly signal: AbortSignal;
  /** Folder of the finished run. */
  readonly out: string;
}

/** Follows the analysis of a report through its parts. */
export interface ReportProgress {
  /**
   * Begins a part of `size` samples. @returns What is called, and awaited, with how much of the part is done: signals are
   * handled meanwhile, and it throws `BasicError` `E_INTERRUPTED` once the signal was aborted.
   */
  part(size: number, note: string): (done: number, total: number) => Promise<void>;
  stop(): void;
}

/**
 * A bar over the samples of all parts of an analysis.
 *
 * @param total - Samples of all parts.
 * @throws `BasicError` `E_INTERRUPTED` where the signal was aborted before.
 */
export function reportProgress({ terminal, signal, out }: ReportWatch, total: number): ReportProgress {
  if (signal.aborted) throw stopped(out);
  const bar = terminal.progress("report", total);
  let [start, end] = [0, 0];
  return {
    part: (size, note) => {
      [start, end] = [end, end + size];
      return async (done, of) => {
        bar.update(start + Math.floor((size * done) / of), note);
        await letOthersRun();
        if (signal.aborted) throw stopped(out);
      };
    },
    stop: () => bar.stop(),
  };
}

/** Promises that are done keep signals and timers waiting. */
function letOthersRun(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}

function stopped(out: string): BasicError {
  return new BasicError(
    "E_INTERRUPTED",
    `Stopped before the report was written. Training is finished and saved in ${out}: --resume writes the report, --resume --no-report leaves it out.`,
  );
}

import type { Terminal } from "../terminal.js";

/** Data and features are being built, steps are trained, or the report of a finished run is made. */
export type RunPhase = "preparing" | "training" | "reporting";

const STOPPING = {
  preparing: "Stopping before the first step",
  training: "Stopping after this step, with a checkpoint",
  reporting:
    "Training is finished and saved. Stopping the report: --resume writes it, --resume --no-report leaves it out",
} as const satisfies Record<RunPhase, string>;

/** A signal that Ctrl-C aborts. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Says what Ctrl-C would stop: only while steps are trained is there something to save. */
  enter(phase: RunPhase): void;
  release(): void;
}

/**
 * The first Ctrl-C stops the building of data and features or the report, or asks the loop to save a checkpoint and stop;
 * the second ends the process at once.
 */
export function abortOnInterrupt(terminal: Terminal): Interrupt {
  const controller = new AbortController();
  let current: RunPhase = "preparing";
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    terminal.line(`\n${STOPPING[current]}. Press Ctrl-C again to stop at once.`);
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return {
    signal: controller.signal,
    enter: (phase) => {
      current = phase;
    },
    release: () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}

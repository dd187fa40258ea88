import type { Terminal } from "../terminal.js";

/** Data and features are being built, or steps are trained. */
export type RunPhase = "preparing" | "training";

const STOPPING = {
  preparing: "Stopping before the first step",
  training: "Stopping after this step, with a checkpoint",
} as const satisfies Record<RunPhase, string>;

/** A signal that Ctrl-C aborts. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Says what Ctrl-C would stop: before the first step there is nothing to save. */
  enter(phase: RunPhase): void;
  release(): void;
}

/**
 * The first Ctrl-C stops the building of data and features, or asks the loop to save a checkpoint and stop; the second
 * ends the process at once.
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

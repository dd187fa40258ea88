import { describe, expect, it } from "vitest";

import type { Terminal } from "../terminal.js";
import { abortOnInterrupt } from "./interrupt.js";

describe("abortOnInterrupt", () => {
  it.each([
    ["preparing", "Stopping before the first step. Press Ctrl-C again to stop at once."],
    ["training", "Stopping after this step, with a checkpoint. Press Ctrl-C again to stop at once."],
    [
      "reporting",
      "Training is finished and saved. Stopping the report: --resume writes it, --resume --no-report leaves it out. " +
        "Press Ctrl-C again to stop at once.",
    ],
  ] as const)("says what stops while it is %s", (phase, text) => {
    const printed: (string | undefined)[] = [];
    const interrupt = abortOnInterrupt({
      line: (line?: string) => printed.push(line),
    } as unknown as Terminal);
    try {
      interrupt.enter(phase);
      process.emit("SIGINT");
      expect([printed, interrupt.signal.aborted]).toEqual([[`\n${text}`], true]);
    } finally {
      interrupt.release();
    }
  });
});

import { describe, expect, it } from "vitest";

import type { Terminal } from "../terminal.js";
import { reportProgress } from "./report-progress.js";

describe("reportProgress", () => {
  const shown: unknown[] = [];
  const terminal = {
    progress: (...bar: readonly unknown[]) => {
      shown.push(bar);
      return {
        update: (...text: readonly unknown[]) => shown.push(text),
        stop: () => shown.push("stopped"),
      };
    },
  } as unknown as Terminal;

  it("counts the samples of one part after the other", async () => {
    shown.length = 0;
    const progress = reportProgress({ terminal, signal: new AbortController().signal, out: "run" }, 30);
    const answers = progress.part(10, "answers");
    await answers(4, 10);
    await answers(10, 10);
    const matched = progress.part(20, "words");
    // In other units than samples.
    await matched(1, 3);
    await matched(3, 3);
    progress.stop();
    expect(shown).toEqual([
      ["report", 30],
      [4, "answers"],
      [10, "answers"],
      [16, "words"],
      [30, "words"],
      "stopped",
    ]);
  });

  it("does not begin after Ctrl-C", () => {
    shown.length = 0;
    const watch = { terminal, signal: AbortSignal.abort(), out: "runs/a" };
    expect(() => reportProgress(watch, 10)).toThrow(/^Stopped before the report was written\./);
    expect(shown).toEqual([]);
  });

  it("handles a signal that comes meanwhile, and says what there is", async () => {
    const controller = new AbortController();
    const progress = reportProgress({ terminal, signal: controller.signal, out: "runs/a" }, 10);
    // As a signal of the system: between two turns of the event loop.
    setTimeout(() => controller.abort(), 0);
    await expect(progress.part(10, "answers")(5, 10)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Stopped before the report was written. Training is finished and saved in runs/a: --resume writes the report, --resume --no-report leaves it out. [E_INTERRUPTED]]`,
    );
  });
});

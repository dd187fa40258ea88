import type { TrainEvent } from "@basic-mllm/core";
import { expect, it } from "vitest";

import type { Terminal } from "../terminal.js";
import { createWatcher } from "./watcher.js";

/** What a terminal was asked to show. */
function shown(interactive: boolean, events: readonly TrainEvent[]): readonly string[] {
  const seen: string[] = [];
  const terminal: Terminal = {
    interactive,
    line: (text = "") => seen.push(text),
    write: (text) => seen.push(text),
    warn: (text) => seen.push(text),
    result: () => undefined,
    progress: (title) => ({
      update: (done, note = "") => seen.push(`${title} ${done} ${note}`.trimEnd()),
      stop: () => undefined,
    }),
  };
  const watcher = createWatcher(terminal, false);
  for (const event of events) watcher.see(event);
  return seen;
}

const place = { stage: "align", step: 0, globalStep: 0 };
const events: readonly TrainEvent[] = [
  { kind: "stage-start", steps: 6, ...place },
  { kind: "compile", kernels: 57, ...place },
  { kind: "step", steps: 6, ...place, step: 1, globalStep: 1 },
];

it("says beside the bar that kernels are compiled, and in a log on a line of its own", () => {
  expect(shown(true, events)).toEqual(["align 0", "align 0 compiling 57 kernels", "align 1"]);
  expect(shown(false, events)).toEqual(["align 0", "  compiling 57 kernels", "align 1"]);
});

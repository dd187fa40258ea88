import type { MetricsLine, TrainEvent } from "@basic-mllm/core";
import pc from "picocolors";

import type { Progress, Terminal } from "../terminal.js";
import { progressNote } from "./progress-note.js";

/** Turns the loop's events into a progress bar and lines. */
export function createWatcher(terminal: Terminal, blind: boolean) {
  let progress: Progress | undefined;
  let note = "";
  const seeLine = (line: MetricsLine): void => {
    if (line.kind === "train") note = progressNote(line);
    if (line.kind === "warning") terminal.warn(line.text);
    if (line.kind === "evaluation" && !blind) {
      terminal.line(`  ${pc.dim(line.split)}  ${metricsText(line.metrics)}`);
    }
  };
  const seeCompile = ({ kernels, step }: Extract<TrainEvent, { kind: "compile" }>): void => {
    const text = `compiling ${kernels} kernels`;
    if (terminal.interactive) progress?.update(step, text);
    else terminal.line(`  ${text}`);
  };
  const see = (event: TrainEvent): void => {
    switch (event.kind) {
      case "stage-start":
        progress = terminal.progress(blind ? `blind ${event.stage}` : event.stage, event.steps);
        progress.update(event.step);
        break;
      case "compile":
        seeCompile(event);
        break;
      case "step":
        progress?.update(event.step, note);
        break;
      case "stage-end":
        progress?.stop();
        break;
      case "metrics":
        seeLine(event.line);
        break;
    }
  };
  return { see, stop: () => progress?.stop() };
}

/** `name 0.123  kind 0.456`. */
export function metricsText(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join("  ");
}

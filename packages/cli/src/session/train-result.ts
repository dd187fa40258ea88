import { imageSourceOf } from "@basic-mllm/data";
import pc from "picocolors";

import { duration, type Terminal } from "../terminal.js";
import type { TrainSummary } from "./train-run.js";
import type { VlmSession } from "./vlm.js";
import { metricsText } from "./watcher.js";

/** The first picture of the first evaluation set that has one as a file. */
export function firstPicture({ sets }: VlmSession): string | undefined {
  for (const { samples, imageRoot } of sets.evaluation.values()) {
    const [image] = samples.flatMap(({ images }) => images);
    const file = image === undefined ? null : imageSourceOf(imageRoot).file(image);
    if (file !== null) return file;
  }
  return undefined;
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./:@%+=,~-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

/** What a run came to, and what to do with it. @param picture - One to chat about. */
export function printResult(
  terminal: Terminal,
  summary: Omit<TrainSummary, "metrics">,
  picture?: string,
): void {
  const { evaluations, blind, seconds, report, out, steps } = summary;
  terminal.line();
  for (const { split, metrics } of evaluations) terminal.line(`  ${pc.bold(split)}  ${metricsText(metrics)}`);
  if (blind !== null) terminal.line(`  ${pc.bold("blind")}  ${metricsText(blind)}`);
  terminal.line(`  ${steps} steps in ${duration(seconds)}; run folder ${out}`);
  if (report !== null) terminal.line(`  report ${pc.cyan(report)}`);
  if (picture !== undefined) {
    const command = `basic-mllm chat ${quoted(out)} --image ${quoted(picture)}`;
    terminal.line(`  chat with it: ${pc.cyan(command)}`);
  }
}

import { imageSourceOf } from "@basic-mllm/data";
import pc from "picocolors";

import { shellWord } from "../shell.js";
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

/**
 * What a run came to, and what to do with it.
 *
 * @param more - `picture`: one to chat about. `ofBaseline`: the run is the baseline without pictures, and says so on each line.
 */
export function printResult(
  terminal: Terminal,
  summary: Omit<TrainSummary, "metrics">,
  { picture, ofBaseline }: { readonly picture: string | undefined; readonly ofBaseline: boolean },
): void {
  const { evaluations, blind, seconds, report, out, steps } = summary;
  terminal.line();
  const who = ofBaseline ? "blind " : "";
  for (const { split, metrics } of evaluations)
    terminal.line(`  ${pc.bold(`${who}${split}`)}  ${metricsText(metrics)}`);
  if (blind !== null) terminal.line(`  ${pc.bold("blind")}  ${metricsText(blind)}`);
  terminal.line(`  ${who}${steps} steps in ${duration(seconds)}; run folder ${out}`);
  if (report !== null) terminal.line(`  report ${pc.cyan(report)}`);
  if (picture !== undefined) {
    const command = `basic-mllm chat ${shellWord(out)} --image ${shellWord(picture)}`;
    terminal.line(`  chat with it: ${pc.cyan(command)}`);
  }
}

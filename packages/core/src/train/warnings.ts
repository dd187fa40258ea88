import { collapseWarning, type DiagnosticWarning, strengthWarning } from "./collapse-warning.js";
import type { MetricsLine, TrainLine } from "./metrics.js";

/** Looks at the diagnostics of a run as they come. */
export interface Watch {
  /** Warnings that this line gives rise to; each name once per stage. */
  look(line: TrainLine): readonly DiagnosticWarning[];
}

/** @param lines - Lines of the run so far: after a resume the watch goes on as if nothing had happened. */
export function createWatch(lines: readonly MetricsLine[]): Watch {
  const history: Readonly<Record<string, number>>[] = [];
  const given = new Set<string>();
  const watchedStages = new Set<string>();
  const look = (line: TrainLine): readonly DiagnosticWarning[] => {
    const { diagnostics, stage } = line;
    if (diagnostics === undefined) return [];
    history.push(diagnostics);
    const candidates = [
      watchedStages.has(stage) ? null : strengthWarning(diagnostics),
      collapseWarning(history),
    ];
    watchedStages.add(stage);
    return candidates.filter((warning): warning is DiagnosticWarning => {
      if (warning === null || given.has(`${stage} ${warning.name}`)) return false;
      given.add(`${stage} ${warning.name}`);
      return true;
    });
  };
  for (const line of lines) {
    if (line.kind === "train") look(line);
  }
  return { look };
}

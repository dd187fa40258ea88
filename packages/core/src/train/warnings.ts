import type { Recipe } from "../recipe.js";
import { collapseWarning, type DiagnosticWarning, strengthWarning } from "./collapse-warning.js";
import { ratioName } from "./diagnostics.js";
import type { MetricsLine, TrainLine } from "./metrics.js";
import { weightAtStep } from "./weighted-losses.js";

/** Looks at the diagnostics of a run as they come. */
export interface Watch {
  /** Warnings that this line gives rise to; each name once per stage. */
  look(line: TrainLine): readonly DiagnosticWarning[];
}

type Diagnostics = Readonly<Record<string, number>>;

/**
 * @param lines - Lines of the run so far: after a resume the watch goes on as if nothing had happened.
 * @param stages - Of the recipe: say when each loss has its full weight.
 */
export function createWatch(lines: readonly MetricsLine[], stages: Recipe["stages"]): Watch {
  const histories = new Map<string, Diagnostics[]>();
  const given = new Set<string>();
  const judged = new Set<string>();
  const look = (line: TrainLine): readonly DiagnosticWarning[] => {
    const { diagnostics, stage } = line;
    if (diagnostics === undefined) return [];
    const history = histories.get(stage) ?? [];
    histories.set(stage, history);
    history.push(diagnostics);
    const candidates = [strengthWarning(ratiosToJudge(line, judged, stages)), collapseWarning(history)];
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

/** λ · loss / L_lm of the losses that have their full weight for the first time in this stage. */
function ratiosToJudge(
  { diagnostics = {}, stage, step, parts }: TrainLine,
  judged: Set<string>,
  stages: Recipe["stages"],
): Diagnostics {
  const names = Object.keys(parts).filter((name) => {
    const setting = stages[stage]?.losses[name];
    // The line counts finished steps; its losses are those of the step before.
    const isFull = setting === undefined || weightAtStep(setting, step - 1) === setting.weight;
    return isFull && ratioName(name) in diagnostics && !judged.has(`${stage} ${name}`);
  });
  for (const name of names) judged.add(`${stage} ${name}`);
  return Object.fromEntries(names.map((name) => [ratioName(name), diagnostics[ratioName(name)] as number]));
}

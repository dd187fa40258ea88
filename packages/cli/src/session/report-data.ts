import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  BasicError,
  type EvaluationResult,
  type MetricsLine,
  type Recipe,
  readMetrics,
} from "@basic-mllm/core";
import type { ReportRun } from "@basic-mllm/evaluate";
import { createDiskStore } from "@basic-mllm/weights";

import { readRunJson } from "./json-file.js";
import { readRunRecipe } from "./open-run.js";

/** What `train` leaves in evaluation.json. */
export interface RunEvaluation {
  readonly seconds: number;
  readonly steps: number;
  readonly evaluations: readonly EvaluationResult[];
  readonly blind: Readonly<Record<string, number>> | null;
}

/**
 * What the report shows of a run: its report.json; for a finished run without one (`--no-report`, `ablate`), its
 * curves and figures without pictures.
 *
 * @throws `BasicError` `E_USAGE` where the folder holds no finished run, `E_DATA_FORMAT` where a file is damaged.
 */
export async function readReportRun(folder: string): Promise<ReportRun> {
  const file = join(folder, "report.json");
  if (existsSync(file)) return (await readRunJson(file, finish(folder))) as ReportRun;
  const finished = await readEvaluation(folder);
  if (finished !== null) {
    const run = describe(await readRunRecipe(folder), finished, await linesOf(folder));
    return { ...run, environment: [...run.environment, ...(await provenance(folder))] };
  }
  throw new BasicError(
    "E_USAGE",
    `${folder} has nothing to report: expected ${file} or evaluation.json, which \`basic-mllm train\` writes at its end. ` +
      "Give the folder of a finished run, or finish this one with --resume.",
  );
}

/**
 * The figures of a finished run; null where it has not come to its end.
 *
 * @throws `BasicError` `E_DATA_FORMAT` where the file is damaged.
 */
export async function readEvaluation(folder: string): Promise<RunEvaluation | null> {
  const file = join(folder, "evaluation.json");
  return existsSync(file) ? ((await readRunJson(file, finish(folder))) as RunEvaluation) : null;
}

/** A finished run that is resumed only evaluates what is missing and writes its files again. */
function finish(folder: string): string {
  return `Remove it, and write it again with \`basic-mllm train RECIPE --out ${folder} --resume\`.`;
}

/** The lines of a run's metrics.jsonl. */
export function linesOf(folder: string): Promise<readonly MetricsLine[]> {
  return readMetrics(createDiskStore(folder));
}

/** Version and commit that the saved model names. */
async function provenance(folder: string): Promise<ReportRun["environment"]> {
  const file = join(folder, "model", "provenance.json");
  if (!existsSync(file)) return [];
  const { version, commit } = (await readRunJson(file, finish(folder))) as {
    version?: string;
    commit?: string | null;
  };
  const rows = [["basic-mllm", version] as const, ["commit", commit] as const];
  return rows.flatMap(([label, value]) => (typeof value === "string" ? [[label, value] as const] : []));
}

function describe(recipe: Recipe, evaluation: RunEvaluation, lines: readonly MetricsLine[]): ReportRun {
  const { seconds } = evaluation;
  const stages = lines.filter((line) => line.kind === "stage");
  const sizes = new Map(stages.flatMap((line) => Object.entries({ ...line.frozen, ...line.trains })));
  return {
    name: `${recipe.name}, seed ${recipe.seed}`,
    description: recipe.description,
    seconds,
    environment: [["backend", recipe.backend]],
    parts: [...sizes].map(([name, parameters]) => ({
      name,
      parameters,
      trains: stages.filter((line) => name in line.trains).map((line) => line.stage),
    })),
    recipe,
    ...figuresOf(lines, evaluation),
    samples: [],
    patches: [],
    shares: { before: [], after: [] },
  };
}

/** The curves of a run, and what it came to. */
export function figuresOf(
  lines: readonly MetricsLine[],
  { evaluations, blind }: Pick<RunEvaluation, "evaluations" | "blind">,
): Pick<ReportRun, "train" | "evaluations" | "warnings" | "final" | "blind"> {
  return {
    train: lines.filter((line) => line.kind === "train"),
    evaluations: lines.filter((line) => line.kind === "evaluation"),
    warnings: lines.filter((line) => line.kind === "warning").map((line) => line.text),
    final: Object.fromEntries(evaluations.map(({ split, metrics }) => [split, metrics])),
    ...(blind !== null && { blind }),
  };
}

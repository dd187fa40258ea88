import { linesOf, readEvaluation } from "../session/report-data.js";
import { trainingSeconds } from "../session/training-time.js";
import { decimals } from "../tables.js";
import { duration } from "../terminal.js";
import type { PlannedRun } from "./plan.js";
import type { RunOutcome } from "./run.js";
import { type PairedTest, pairedTTest, type Spread, spreadOf } from "./statistics.js";

/** Diagnostics of the last train line that the table shows. */
const DIAGNOSTICS = [
  "meaningfulShare",
  "strictShare",
  "distinctMatches",
  "cosine",
  "normInitial",
  "effectiveRank",
] as const;

type Numbers = Readonly<Record<string, number>>;

/** What one run gave. */
export interface RunResult {
  readonly variant: string;
  readonly seed: number;
  readonly out: string;
  readonly outcome: RunOutcome;
  /** Wall time of the optimizer steps, over all starts of the run. */
  readonly seconds: number;
  /** By evaluation set; empty for a run whose loss became NaN. */
  readonly metrics: Readonly<Record<string, Numbers>>;
  readonly diagnostics: Numbers;
}

/** A metric of a variant over seeds. */
export interface MetricSummary extends Spread {
  /** Difference to the first variant with the same seed; null for the first one. */
  readonly difference: PairedTest | null;
}

/** One row of the table. */
export interface VariantSummary {
  readonly name: string;
  readonly description: string;
  readonly metrics: Readonly<Record<string, Readonly<Record<string, MetricSummary>>>>;
  readonly diagnostics: Readonly<Record<string, Spread>>;
  readonly seconds: Spread | null;
}

/** Content of table.json. */
export interface AblationTable {
  readonly recipe: string;
  /** What the others are compared with. */
  readonly baseline: string;
  readonly seeds: readonly number[];
  /** Evaluation sets; the first is the headline. */
  readonly sets: readonly string[];
  readonly variants: readonly VariantSummary[];
  readonly runs: readonly RunResult[];
}

/** Reads what a run left behind. */
export async function readRunResult(
  { variant, seed, out }: PlannedRun,
  outcome: RunOutcome,
): Promise<RunResult> {
  const evaluation = await readEvaluation(out);
  const lines = await linesOf(out);
  const last = lines.filter((line) => line.kind === "train").at(-1)?.diagnostics ?? {};
  return {
    variant: variant.name,
    seed,
    out,
    outcome,
    seconds: trainingSeconds(lines),
    metrics: Object.fromEntries(
      (evaluation?.evaluations ?? []).map(({ split, metrics }) => [split, metrics]),
    ),
    diagnostics: Object.fromEntries(
      DIAGNOSTICS.flatMap((name) => (last[name] === undefined ? [] : [[name, last[name]]])),
    ),
  };
}

/** Means over seeds, and paired differences to the first variant. */
export function summariseRuns(
  recipe: string,
  plan: readonly PlannedRun[],
  runs: readonly RunResult[],
): AblationTable {
  const variants = [...new Map(plan.map(({ variant }) => [variant.name, variant])).values()];
  const baseline = variants[0]?.name ?? "";
  const sets = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))];
  const of = (name: string): readonly RunResult[] => runs.filter((run) => run.variant === name);
  const summaries = variants.map(({ name, description }) => ({
    name,
    description,
    metrics: Object.fromEntries(
      sets.map((set) => [set, summariseSet(set, of(name), name === baseline ? null : of(baseline))]),
    ),
    diagnostics: Object.fromEntries(
      DIAGNOSTICS.flatMap((key) => {
        const spread = spreadOf(of(name).flatMap((run) => run.diagnostics[key] ?? []));
        return spread === null ? [] : [[key, spread]];
      }),
    ),
    seconds: spreadOf(of(name).map((run) => run.seconds)),
  }));
  const seeds = [...new Set(plan.map(({ seed }) => seed))];
  return { recipe, baseline, seeds, sets, variants: summaries, runs };
}

function summariseSet(
  set: string,
  own: readonly RunResult[],
  baseline: readonly RunResult[] | null,
): Readonly<Record<string, MetricSummary>> {
  const names = [...new Set(own.flatMap((run) => Object.keys(run.metrics[set] ?? {})))];
  const summaries = names.flatMap((name) => {
    const value = (run: RunResult | undefined): number | undefined => run?.metrics[set]?.[name];
    const spread = spreadOf(own.flatMap((run) => value(run) ?? []));
    const pairs = own.flatMap((run) => {
      const [mine, other] = [value(run), value(baseline?.find(({ seed }) => seed === run.seed))];
      return mine === undefined || other === undefined ? [] : [mine - other];
    });
    return spread === null
      ? []
      : [[name, { ...spread, difference: baseline && pairedTTest(pairs) }] as const];
  });
  return Object.fromEntries(summaries);
}

/** The table for people: table.md. */
export function renderTable(table: AblationTable): string {
  const { recipe, seeds, baseline, sets } = table;
  const failed = table.runs.filter((run) => run.outcome === "not-finite");
  const sections = [
    `# Ablation of ${recipe}`,
    `Seeds ${seeds.join(", ")}. Mean ± standard deviation over seeds. Below it: paired difference to \`${baseline}\` with the ` +
      "two-sided p value of a paired t test.",
    ...(failed.length === 0
      ? []
      : [
          `Loss became NaN or infinite: ${failed.map((run) => `${run.variant} (seed ${run.seed})`).join(", ")}.`,
        ]),
    ...sets.map((set) => `## ${set}\n\n${setTable(table, set)}`),
    `## Visual embeddings at the last step\n\n${diagnosticsTable(table)}`,
  ];
  return `${sections.join("\n\n")}\n`;
}

function setTable({ variants }: AblationTable, set: string): string {
  const names = [...new Set(variants.flatMap((variant) => Object.keys(variant.metrics[set] ?? {})))];
  const rows = variants.map((variant) => [
    variant.name,
    ...names.map((name) => {
      const summary = variant.metrics[set]?.[name];
      if (summary === undefined) return "–";
      const { difference } = summary;
      return difference === null
        ? plusMinus(summary)
        : `${plusMinus(summary)}<br>${differenceText(difference)}`;
    }),
  ]);
  return markdown(["variant", ...names], rows);
}

function differenceText({ mean, p, df }: PairedTest): string {
  const signed = `${mean < 0 ? "−" : "+"}${Math.abs(mean).toFixed(3)}`;
  return p === null
    ? signed
    : `${signed}, p = ${p < 0.001 ? "< 0.001" : p.toFixed(3)}, df ${df}`.replace("= <", "<");
}

function diagnosticsTable({ variants }: AblationTable): string {
  const rows = variants.map(({ name, description, diagnostics, seconds }) => [
    name,
    description,
    ...DIAGNOSTICS.map((key) => plusMinus(diagnostics[key])),
    seconds === null ? "–" : duration(seconds.mean),
  ]);
  return markdown(["variant", "", ...DIAGNOSTICS, "training time"], rows);
}

function plusMinus(spread: Spread | undefined): string {
  if (spread === undefined) return "–";
  const digits = Math.abs(spread.mean) >= 10 ? 1 : 3;
  const mean = decimals(spread.mean, digits);
  return spread.n > 1 ? `${mean} ± ${decimals(spread.spread, digits)}` : mean;
}

function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

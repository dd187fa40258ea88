import type { ReportRun } from "./data.js";
import { number, percent } from "./html.js";

/** Question types and how people call them. */
export const TYPES: readonly (readonly [key: string, label: string])[] = [
  ["name", "What is it?"],
  ["kind", "What kind of thing?"],
  ["where", "Where is it?"],
  ["color", "Background colour"],
  ["yesno", "Is there a …?"],
  ["count", "How many?"],
  ["vqa", "Mean"],
];

const LABELS = new Map<string, string>([
  ...TYPES,
  ["f1Random", "F1, random questions"],
  ["f1Adversarial", "F1, adversarial questions"],
  ["nll", "Answer nll"],
]);

/** The same name for a metric in every section; its key where it has none. */
export function metricLabel(key: string): string {
  return LABELS.get(key) ?? key;
}

/** Metrics that are no share of something. */
const NO_SHARE = new Set(["nll", "perplexity"]);

/** A share as a percentage, as in the bars; anything else as a number. */
export function metricText(key: string, value: number | undefined): string {
  return NO_SHARE.has(key) || (value ?? 0) > 1 ? number(value) : percent(value);
}

/** The first split of a run with its metrics. */
export function headline(run: ReportRun): readonly [string, Readonly<Record<string, number>>] {
  return Object.entries(run.final)[0] ?? ["none", {}];
}

/**
 * Runs with the baseline first: one that trained the language loss alone is what the others are compared with. The order
 * is otherwise as given.
 */
export function baselineFirst(runs: readonly ReportRun[]): readonly ReportRun[] {
  const baselines = runs.filter(isBaseline);
  return [...baselines, ...runs.filter((run) => !baselines.includes(run))];
}

function isBaseline({ train }: ReportRun): boolean {
  return (
    train.length > 0 && train.every(({ parts }) => Object.keys(parts).every((part) => part === "language"))
  );
}

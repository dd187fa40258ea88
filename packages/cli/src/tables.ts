import type { EvaluationResult } from "@basic-mllm/core";

import { table } from "./terminal.js";

/** One row per evaluation set, one column per metric. */
export function metricsTable(results: readonly EvaluationResult[]): string {
  const names = [...new Set(results.flatMap(({ metrics }) => Object.keys(metrics)))];
  const rows = results.map(({ split, metrics }) => [split, ...names.map((name) => decimals(metrics[name]))]);
  return table(["SET", ...names.map((name) => name.toUpperCase())], rows);
}

/** Three decimals; a dash where there is no number. */
export function decimals(value: number | null | undefined, digits = 3): string {
  return value === undefined || value === null || !Number.isFinite(value) ? "–" : value.toFixed(digits);
}

// Tables of measured results, from the rows of benchmarks/results/*.jsonl.
import { table } from "./docs-tables.mjs";

/** What stands where nothing was measured. */
export const NOT_MEASURED = "not measured yet";

const METRICS = ["vqa", "name", "kind", "where", "color", "yesno", "regionAccuracy", "perplexity"];

/** Rows of all files, oldest first. `texts`: contents of the .jsonl files. */
export function parseRows(texts) {
  return texts.flatMap((text) =>
    text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map((line) => JSON.parse(line)),
  );
}

/** Accuracy, and time of a training step: what the README shows. */
export function resultTables(rows) {
  return (
    [accuracyTable(rows), timingTable(rows.filter(({ mode }) => mode === "train"))]
      .filter((text) => text !== NOT_MEASURED)
      .join("\n\n") || NOT_MEASURED
  );
}

/** The last accuracy row of each recipe, set and variant. */
function accuracyTable(rows) {
  const last = latest(
    rows.filter(({ kind }) => kind === "accuracy"),
    ({ recipe, set, variant, device }) => [recipe, set, variant, device],
  );
  if (last.length === 0) return NOT_MEASURED;
  const names = METRICS.filter((name) => last.some(({ metrics }) => metrics[name] !== undefined));
  const header = ["recipe", "tested on", "losses", "seeds", ...names, "commit"];
  const body = last.map(({ recipe, set, variant, seeds, metrics, commit }) => [
    recipe,
    set ?? "–",
    variant,
    seeds.length,
    ...names.map((name) => metricText(metrics[name])),
    commit ?? "–",
  ]);
  return table(header, body);
}

/** A number, or a mean with its standard deviation over seeds. */
function metricText(value) {
  if (value === undefined) return "–";
  if (typeof value === "number") return value.toFixed(3);
  return `${value.mean.toFixed(3)} ± ${value.spread.toFixed(3)}`;
}

/** The last row of each case and device. */
export function timingTable(rows) {
  const timed = rows.filter(({ ours_ms: milliseconds }) => milliseconds !== undefined);
  const last = latest(timed, (row) => [row.case, row.mode, row.device, row.threads]);
  if (last.length === 0) return NOT_MEASURED;
  const header = [
    "case",
    "mode",
    "ms",
    "MB over inputs",
    "of these results MB",
    "threads",
    "device",
    "commit",
  ];
  const body = last.map((row) => [
    row.case,
    row.mode,
    decimals(row.ours_ms),
    decimals(row.ours_mb),
    decimals(row.results_mb),
    row.threads,
    row.device,
    row.commit,
  ]);
  const kept = header.map((_, column) => body.some((cells) => cells[column] !== "–"));
  const keep = (cells) => cells.filter((_, column) => kept[column]);
  return table(keep(header), body.map(keep));
}

function decimals(value) {
  if (value === undefined || value === null) return "–";
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** The newest row of each key, in the order in which the keys first came. */
function latest(rows, keyOf) {
  const last = new Map();
  for (const row of rows) last.set(JSON.stringify(keyOf(row)), row);
  return [...last.values()];
}

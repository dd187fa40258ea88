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
    [
      accuracyTable(rows),
      timingTable(
        rows.filter(({ mode }) => mode === "train"),
        "peak MB of the process",
      ),
    ]
      .filter((text) => text !== NOT_MEASURED)
      .join("\n\n") || NOT_MEASURED
  );
}

/** The last accuracy row of each recipe, set and variant. */
function accuracyRows(rows) {
  return latest(
    rows.filter(({ kind }) => kind === "accuracy"),
    ({ recipe, set, variant }) => [recipe, set, variant],
  );
}

function accuracyTable(rows) {
  const last = accuracyRows(rows);
  if (last.length === 0) return NOT_MEASURED;
  const names = METRICS.filter((name) => last.some(({ metrics }) => metrics[name] !== undefined));
  const header = ["recipe", "tested on", "losses", "seeds", ...names, "commit"];
  const body = last.map(({ recipe, set, variant, seeds, metrics, commit }) => [
    recipe,
    set ?? "–",
    variant,
    seeds.length,
    ...names.map((name) => metricText(metrics[name], seeds.length)),
    commit ?? "–",
  ]);
  return table(header, body);
}

/** Mean accuracy of each variant, and its paired difference to plain training. */
export function differenceTable(rows) {
  const compared = accuracyRows(rows).filter(({ difference }) => difference !== undefined);
  if (compared.length === 0) return NOT_MEASURED;
  const header = [
    "losses",
    "seeds",
    "mean accuracy",
    "difference to `none`",
    "p (paired t test)",
    "answer nll",
  ];
  const body = compared.map(({ variant, seeds, metrics, difference }) => [
    variant,
    seeds.length,
    metricText(metrics.vqa, seeds.length),
    difference === null ? "–" : `${difference.mean < 0 ? "−" : "+"}${Math.abs(difference.mean).toFixed(3)}`,
    typeof difference?.p === "number" ? difference.p.toFixed(3) : "–",
    metricText(metrics.nll, seeds.length),
  ]);
  return table(header, body);
}

const DIAGNOSTICS = {
  cosine: "cos(v, v̂)",
  normInitial: "length of v",
  effectiveRank: "effective rank",
  distinctMatches: "distinct matched words",
  meaningfulShare: "meaningful share",
  strictShare: "strict share",
};

/** What the visual embeddings of each variant look like at the last training step. */
export function diagnosticsTable(rows) {
  const measured = accuracyRows(rows).filter(({ diagnostics }) => diagnostics !== undefined);
  if (measured.length === 0) return NOT_MEASURED;
  const body = measured.map(({ variant, seeds, diagnostics }) => [
    variant,
    ...Object.keys(DIAGNOSTICS).map((name) => metricText(diagnostics[name], seeds.length)),
  ]);
  return table(["losses", ...Object.values(DIAGNOSTICS)], body);
}

/** A number, or a mean with its standard deviation over seeds where there are several. */
function metricText(value, seeds) {
  if (value === undefined) return "–";
  if (typeof value === "number") return value.toFixed(3);
  const digits = Math.abs(value.mean) >= 10 ? 1 : 3;
  return [value.mean, ...(seeds > 1 ? [value.spread] : [])]
    .map((number) => number.toFixed(digits))
    .join(" ± ");
}

/** The last row of each case and device. `memory`: what a row's `ours_mb` is. */
export function timingTable(rows, memory = "MB over inputs") {
  const timed = rows.filter(({ ours_ms: milliseconds }) => milliseconds !== undefined);
  const last = latest(timed, (row) => [row.case, row.mode, row.device, row.threads]);
  if (last.length === 0) return NOT_MEASURED;
  const header = ["case", "mode", "ms", memory, "of these results MB", "threads", "device", "commit"];
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
export function latest(rows, keyOf) {
  const last = new Map();
  for (const row of rows) last.set(JSON.stringify(keyOf(row)), row);
  return [...last.values()];
}

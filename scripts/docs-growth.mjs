// How time and memory of a kernel grow with rows and vocabulary, from the rows of benchmarks/results/kernels.jsonl.
import { latest, NOT_MEASURED } from "./docs-results.mjs";
import { table } from "./docs-tables.mjs";

const CASE = /^(?<kernel>[a-z-]+)(?:\/V=(?<words>\d+))?\/R=(?<rows>\d+)$/;

/** The last row of each kernel case with its sizes; attention has no vocabulary. */
function sizedRows(rows) {
  const sized = rows.flatMap((row) => {
    const match = row.kind === "timing" ? CASE.exec(row.case) : null;
    if (match === null) return [];
    const { kernel, words, rows: count } = match.groups;
    return [{ ...row, kernel, words: words === undefined ? null : Number(words), rows: Number(count) }];
  });
  return latest(sized, (row) => [row.case, row.threads, row.device]);
}

/** Growth with rows, then with the vocabulary; a pair of tables for each device and number of threads. */
export function growthTables(rows) {
  const all = sizedRows(rows);
  const settings = latest(all, ({ threads, device }) => [threads, device]);
  const parts = settings.flatMap(({ threads, device }) => {
    const own = all.filter((row) => row.threads === threads && row.device === device);
    const withWords = own.filter(({ words }) => words !== null);
    const tables = [
      growthTable(own, { grows: "rows", stays: "words" }),
      growthTable(withWords, { grows: "words", stays: "rows" }),
    ].filter((text) => text !== undefined);
    const title = `${device}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
    return tables.length === 0 ? [] : [title, ...tables];
  });
  return parts.length === 0 ? NOT_MEASURED : parts.join("\n\n");
}

const NAMES = { rows: "rows", words: "vocabulary" };
const UNITS = { rows: "row", words: "word" };

/** Growth is seen at three sizes or more. */
const FEWEST_SIZES = 3;

/** One line for each kernel and value of `stays`, one column for each value of `grows`. */
function growthTable(rows, { grows, stays }) {
  const sizes = [...new Set(rows.map((row) => row[grows]))].toSorted((a, b) => a - b);
  if (sizes.length < FEWEST_SIZES) return undefined;
  const [least, ...larger] = sizes;
  const lines = latest(rows, (row) => [row.kernel, row[stays]]);
  const header = [
    "kernel",
    NAMES[stays],
    `ms at ${NAMES[grows]} ${least}`,
    ...larger.map((size) => `${NAMES[grows]} × ${factor(size / least)}`),
    `time per ${UNITS[grows]}, ${larger.at(-1)} / ${larger[0]}`,
    `own MB at ${NAMES[grows]} ${sizes.join(", ")}`,
  ];
  const body = lines.map((line) => {
    const found = sizes.map((size) =>
      rows.find((row) => row.kernel === line.kernel && row[stays] === line[stays] && row[grows] === size),
    );
    const [first, ...others] = found;
    return [
      line.kernel === "attention" ? "attention (per pair of rows)" : line.kernel,
      line[stays] ?? "–",
      first?.ours_ms.toFixed(1) ?? "–",
      ...others.map((row) => (row && first ? `× ${factor(row.ours_ms / first.ours_ms)}` : "–")),
      perUnit(others[0], others.at(-1), grows),
      found.map((row) => (row ? ownMegabytes(row) : "–")).join(", "),
    ];
  });
  return table(header, body);
}

/** Time per row or word at the largest size beside that at the least of the larger ones: 1 where it grows linearly. */
function perUnit(before, after, grows) {
  if (before === undefined || after === undefined) return "–";
  // Every row of attention meets every other one.
  const power = after.kernel === "attention" ? 2 : 1;
  const growth = (after[grows] / before[grows]) ** power;
  return (after.ours_ms / before.ours_ms / growth).toFixed(2);
}

/** Peak over inputs without the gradients that any method returns. */
function ownMegabytes({ ours_mb: peak, results_mb: results }) {
  return Math.max(0, peak - results).toFixed(1);
}

function factor(value) {
  return value >= 10 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "");
}

// The WebGPU backend beside stock operations and the CPU, from the rows of benchmarks/results/webgpu.jsonl.
import { latest, NOT_MEASURED } from "./docs-results.mjs";
import { table } from "./docs-tables.mjs";

const HEADER = [
  "case",
  "pass",
  "time / stock",
  "time / CPU",
  "dispatches of",
  "own MB of",
  "MB to read",
  "MB to write",
];

/** A table for each adapter, of the newest row of each case and pass. */
export function webgpuTable(rows) {
  const own = rows.filter(({ kind, mode }) => kind === "webgpu" && mode !== undefined);
  const last = latest(own, (row) => [row.case, row.mode, row.adapter]);
  const adapters = latest(last, ({ adapter }) => [adapter]).map(({ adapter }) => adapter);
  if (adapters.length === 0) return NOT_MEASURED;
  return adapters
    .map((adapter) => {
      const mine = last.filter((row) => row.adapter === adapter);
      const commits = [...new Set(mine.map(({ commit }) => commit))];
      const [{ device, threads }] = mine;
      const title = `${adapter} on ${device}, ${threads} ${threads === 1 ? "thread" : "threads"}, ${commits.join(", ")}`;
      return `${title}\n\n${table(HEADER, mine.map(lineOf))}`;
    })
    .join("\n\n");
}

function lineOf(row) {
  return [
    row.case.replace(/^Basic\w+/, (name) => `\`${name}\``),
    row.mode,
    ratio(row.ratio),
    ratio(row.cpu_ratio),
    `${row.ours_dispatches} of ${row.stock_dispatches}`,
    `${megabytes(row.ours_mb)} of ${megabytes(row.stock_mb)}`,
    row.read_mb === undefined ? "–" : megabytes(row.read_mb),
    row.written_mb === undefined ? "–" : megabytes(row.written_mb),
  ];
}

/** Cases that count memory alone have no times. */
function ratio(value) {
  if (value === undefined) return "–";
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

function megabytes(value) {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}

// Training steps beside a peer's: tables and a chart, from the rows of benchmarks/results/peers.jsonl.
import { latest, NOT_MEASURED } from "./docs-results.mjs";
import { table } from "./docs-tables.mjs";

const MODES = { off: "without BASIC", basic: "with BASIC" };

/** What the peer is where it is PyTorch in bfloat16 too. */
const AUTOCAST = "autocast";

/** What makes two rows measurements of the same thing. */
const SETTING = ["case", "mode", "precision", "moments", "peer", "threads", "device"];

const settingOf = (row) => SETTING.map((field) => row[field]);

/** Rows of steps beside a peer. Older ones do not say what was the only way. */
function stepRows(rows, kinds) {
  return rows
    .filter(({ kind }) => kinds.includes(kind))
    .map((row) => ({ precision: "f32", moments: "float32", ...row }));
}

/** The last timed row of each setting. */
export function peerRows(rows) {
  return latest(stepRows(rows, ["peer"]), settingOf);
}

/** The last row of each setting that has its memory, timed or not. */
export function memoryRows(rows) {
  return latest(stepRows(rows, ["peer", "peer-memory"]), settingOf);
}

/** Time and memory of a step, ours and the peer's. */
export function peerTable(rows) {
  const all = stepRows(rows, ["peer", "peer-memory"]);
  const last = latest(all, (row) => [row.kind, ...settingOf(row)]);
  if (last.length === 0) return NOT_MEASURED;
  const header = [
    "step",
    "losses",
    "products",
    "moments",
    "threads",
    "peer",
    "ms",
    "peer's ms",
    "ratio",
    "MB",
    "peer's MB",
    "ratio",
  ];
  const body = last.map((row) => [
    row.case,
    MODES[row.mode],
    row.precision,
    row.moments,
    row.threads,
    row.peer,
    row.ours_ms?.toFixed(0) ?? "–",
    row.peer_ms?.toFixed(0) ?? "–",
    row.ratio?.toFixed(2) ?? "–",
    row.ours_mb ?? "–",
    row.peer_mb ?? "–",
    row.ours_mb === null || row.peer_mb === null ? "–" : (row.ours_mb / row.peer_mb).toFixed(2),
  ]);
  return `${table(
    [...header, "device", "commit"],
    body.map((cells, i) => [...cells, last[i].device, last[i].commit]),
  )}`;
}

/** By how much BASIC's losses lengthen a step, ours and the peer's. */
export function overheadTable(rows) {
  const last = peerRows(rows);
  const pairs = last.flatMap((basic) => {
    if (basic.mode !== "basic") return [];
    const off = last.find((row) => row.mode === "off" && sameSetting(row, basic));
    return off === undefined ? [] : [{ off, basic }];
  });
  if (pairs.length === 0) return NOT_MEASURED;
  return table(
    ["step", "products", "moments", "threads", "peer", "BASIC adds", "in the peer"],
    pairs.map(({ off, basic }) => [
      basic.case,
      basic.precision,
      basic.moments,
      basic.threads,
      basic.peer,
      more(basic.ours_ms, off.ours_ms),
      more(basic.peer_ms, off.peer_ms),
    ]),
  );
}

function sameSetting(a, b) {
  return SETTING.every((field) => field === "mode" || a[field] === b[field]);
}

/** By how much one time is longer than another. */
export function more(after, before) {
  return `${(100 * (after / before - 1)).toFixed(0)} %`;
}

/** The last row of each product and attention case, number of threads and device. */
export function kernelPeerRows(rows) {
  const own = rows.filter(({ kind }) => kind === "kernel-peer");
  return latest(own, (row) => [row.case, row.threads, row.device]);
}

/** Products and attention, ours and each library's. */
export function kernelPeerTable(rows) {
  return librariesTable(kernelPeerRows(rows));
}

/** Our time, GFLOP/s, and each library's time. `extra`: further columns, a value of a row each. */
function librariesTable(last, extra = {}) {
  if (last.length === 0) return NOT_MEASURED;
  const times = ["ms", "GFLOP/s", "libraries' ms", "ratio to the fastest"];
  return table(
    ["kernel", ...Object.keys(extra), "threads", ...times, "device", "commit"],
    last.map((row) => [
      row.case,
      ...Object.values(extra).map((cellOf) => cellOf(row)),
      row.threads,
      row.ours_ms.toPrecision(3),
      row.ours_gflops.toFixed(0),
      Object.entries(row.peers_ms)
        .map(([name, ms]) => `${name} ${ms.toPrecision(3)}`)
        .join(", "),
      row.ratio.toFixed(2),
      row.device,
      row.commit,
    ]),
  );
}

/** The last row of each product beside other JavaScript engines, by our engine, number of threads and device. */
export function javascriptRows(rows) {
  const own = rows.filter(({ kind }) => kind === "javascript-peer");
  return latest(own, (row) => [row.case, row.engine, row.threads, row.device]);
}

/** Products as native kernels and as WebAssembly, beside other JavaScript engines. */
export function javascriptTable(rows) {
  return librariesTable(javascriptRows(rows), { engine: ({ engine }) => engine });
}

/** Share of a step below which a kernel is left out. */
const SMALLEST_SHARE = 0.004;

/** What each kernel of a step reaches of the machine's peak, per case and mode. */
export function rooflineTable(rows) {
  const own = rows.filter(({ kind }) => kind === "roofline");
  const last = latest(own, (row) => [row.case, row.mode, row.kernel, row.device]);
  if (last.length === 0) return NOT_MEASURED;
  const settings = latest(own, (row) => [row.case, row.mode, row.device]);
  return settings
    .map((setting) => {
      // Of the newest commit alone: an older one may have called other kernels.
      const mine = last.filter((row) =>
        ["case", "mode", "device", "commit"].every((field) => row[field] === setting[field]),
      );
      const { peak_gflops: flops, peak_gbs: bytes, device, commit } = setting;
      const body = mine
        .filter(({ share }) => share >= SMALLEST_SHARE)
        .map((row) => [
          `\`${row.kernel}\``,
          row.calls,
          row.ours_ms.toFixed(1),
          `${(100 * row.share).toFixed(1)} %`,
          row.gflops === 0 ? "–" : row.gflops.toFixed(0),
          row.gbs.toFixed(1),
          row.roof.toFixed(2),
        ]);
      const title = `${setting.case}, ${MODES[setting.mode]}: ${device}, ${commit}; peak ${flops.toFixed(0)} GFLOP/s, ${bytes.toFixed(1)} GB/s`;
      return `${title}\n\n${table(["kernel", "calls", "ms", "of the step", "GFLOP/s", "GB/s", "of the roof"], body)}`;
    })
    .join("\n\n");
}

const BAR = { width: 420, height: 16, gap: 8, left: 250, top: 34 };
const CHART_TITLE = "Time of a training step as a share of tuned PyTorch's (line: as fast)";
const AT_PAR = BAR.width / 1.5;

/** Bars of our time as a share of the peer's; the line is the peer. */
export function peerChart(rows) {
  const last = peerRows(rows).filter(({ peer }) => !peer.endsWith("stock"));
  const height = BAR.top + last.length * (BAR.height + BAR.gap) + 12;
  const bars = last.map((row, i) => {
    const y = BAR.top + i * (BAR.height + BAR.gap);
    const width = Math.min(BAR.width, row.ratio * AT_PAR);
    const products = row.peer.endsWith(AUTOCAST) ? "both bf16" : row.precision;
    const moments = row.moments === "float32" ? "" : `, ${row.moments} moments`;
    const name = `${row.case}, ${MODES[row.mode]}, ${products}${moments}, ${row.threads} thr.`;
    return [
      `<text x="${BAR.left - 8}" y="${y + 12}" text-anchor="end">${name}</text>`,
      `<rect x="${BAR.left}" y="${y}" width="${width.toFixed(1)}" height="${BAR.height}" fill="${row.ratio <= 1 ? "#2a7f62" : "#b5483a"}"/>`,
      `<text x="${(BAR.left + width + 6).toFixed(1)}" y="${y + 12}">${row.ratio.toFixed(2)}</text>`,
    ].join("");
  });
  const line = BAR.left + AT_PAR;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${BAR.left + BAR.width + 60}" height="${height}" font-family="sans-serif" font-size="12" fill="#555">`,
    `<title>${CHART_TITLE}</title>`,
    `<text x="8" y="18" font-size="13">${CHART_TITLE}</text>`,
    ...bars,
    `<line x1="${line}" x2="${line}" y1="${BAR.top - 6}" y2="${height - 6}" stroke="#888" stroke-dasharray="4 3"/>`,
    "</svg>\n",
  ].join("\n");
}

/** Tokens per second of a language model beside a peer's. */
export function generationTable(rows) {
  const own = rows.filter(({ kind }) => kind === "generation");
  const last = latest(own, (row) => [row.case, row.mode, row.peer, row.threads, row.device]);
  if (last.length === 0) return NOT_MEASURED;
  const header = ["model", "", "threads", "peer", "tokens/s", "peer's", "ratio", "device", "commit"];
  const body = last.map((row) => [
    row.case,
    row.mode === "prefill" ? `prompt of ${row.rows}` : `${row.tokens} new tokens`,
    row.threads,
    row.peer,
    row.ours_per_second.toFixed(0),
    row.peer_per_second.toFixed(0),
    row.ratio.toFixed(2),
    row.device,
    row.commit,
  ]);
  return table(header, body);
}

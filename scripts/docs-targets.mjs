// What the CPU backend was to reach, and what was measured: from the rows of benchmarks/results/peers.jsonl.
import { kernelPeerRows, memoryRows, more, peerRows } from "./docs-peers.mjs";
import { NOT_MEASURED } from "./docs-results.mjs";
import { table } from "./docs-tables.mjs";

const STEPS = ["tiny-s1", "tiny-s2", "smol-s1", "smol-s2"];
const THREADS = [1, 2];

/** Ratios of times with BASIC: precision of ours, build of the peer, most that the ratio was to be. */
const TIMES = [
  { precision: "f32", build: "tuned", target: "≤ 0.85" },
  { precision: "f32", build: "stock", target: "≤ 0.45" },
  { precision: "bf16", build: "tuned", target: "≤ 0.60" },
  { precision: "bf16", build: "stock", target: "≤ 0.33" },
  { precision: "bf16", build: "autocast", target: "–" },
];

/** Ratios of peak memory by how ours stores moments. */
const MEMORY = {
  float32: { title: "peak memory / tuned PyTorch", target: "≤ 0.75" },
  bfloat16: { title: "peak memory with bfloat16 moments / tuned PyTorch", target: "≤ 0.50" },
};

const NAMES = {
  tuned: "tuned PyTorch in f32",
  stock: "stock PyTorch in f32",
  autocast: "tuned PyTorch in bf16 (autocast)",
};

/** Steps beside PyTorch: one column per step. */
export function stepTargets(rows) {
  const last = peerRows(rows).filter(({ moments }) => moments === "float32");
  const measured = memoryRows(rows);
  if (measured.length === 0) return NOT_MEASURED;
  const lines = [
    ...TIMES.flatMap((time) => THREADS.map((threads) => timeLine(last, time, threads))),
    ...["f32", "bf16"].flatMap((precision) => THREADS.map((threads) => costLine(last, precision, threads))),
    ...Object.keys(MEMORY).map((moments) => memoryLine(measured, moments)),
  ];
  return table(["figure", "to reach", ...STEPS], lines);
}

function find(rows, wanted) {
  return rows.findLast((row) =>
    Object.entries(wanted).every(([field, value]) =>
      field === "build" ? row.peer.endsWith(value) : row[field] === value,
    ),
  );
}

function timeLine(rows, { precision, build, target }, threads) {
  const title = `time in ${precision} / ${NAMES[build]}, ${threadText(threads)}`;
  const cells = STEPS.map((step) => {
    const row = find(rows, { case: step, mode: "basic", precision, build, threads });
    return row === undefined ? "–" : row.ratio.toFixed(2);
  });
  return [title, target, ...cells];
}

/** What BASIC adds to a step, here and in tuned PyTorch. */
function costLine(rows, precision, threads) {
  const cells = STEPS.map((step) => {
    const of = (mode) => find(rows, { case: step, mode, precision, build: "tuned", threads });
    const [off, basic] = [of("off"), of("basic")];
    if (off === undefined || basic === undefined) return "–";
    return `${more(basic.ours_ms, off.ours_ms)} (${more(basic.peer_ms, off.peer_ms)})`;
  });
  return [`BASIC adds in ${precision} (in PyTorch, f32), ${threadText(threads)}`, "≤ 15 % in f32", ...cells];
}

function memoryLine(rows, moments) {
  const wanted = { mode: "basic", precision: "f32", moments, build: "tuned", threads: 1 };
  const cells = STEPS.map((step) => {
    const row = find(rows, { case: step, ...wanted });
    return row === undefined ? "–" : (row.ours_mb / row.peer_mb).toFixed(2);
  });
  return [MEMORY[moments].title, MEMORY[moments].target, ...cells];
}

function threadText(threads) {
  return threads === 1 ? "1 thread" : `${threads} threads`;
}

/** Kernels beside libraries: the middle and the worst ratio over shapes. */
export function kernelTargets(rows) {
  const last = kernelPeerRows(rows);
  if (last.length === 0) return NOT_MEASURED;
  const line = (title, target, test, ratio) => {
    const found = last.filter((row) => row.threads === 1 && test(row.case));
    const ratios = found.map(ratio).toSorted((a, b) => a - b);
    const cells =
      ratios.length === 0
        ? ["–", "–", "–"]
        : [ratios.length, ratios[Math.floor((ratios.length - 1) / 2)].toFixed(2), ratios.at(-1).toFixed(2)];
    return [title, target, ...cells];
  };
  const beside = (library) => (row) => row.ours_ms / row.peers_ms[library];
  const isProduct = (precision) => (name) => name.startsWith("gemm/") && name.endsWith(precision);
  return table(
    ["time of one thread", "to reach", "shapes", "median", "worst"],
    [
      line("products in f32 / OpenBLAS", "≤ 1.05", isProduct("f32"), beside("openblas")),
      line("products in f32 / MKL", "–", isProduct("f32"), beside("mkl")),
      line("products in bf16 / oneDNN on bf16 arrays", "≤ 1.05", isProduct("bf16"), beside("onednn bf16")),
      line(
        "products in bf16 / oneDNN from and to f32, as here",
        "–",
        isProduct("bf16"),
        beside("onednn bf16 from f32"),
      ),
      line(
        "attention, forward and backward / SDPA",
        "≤ 0.80",
        (name) => name.startsWith("attention/"),
        beside("sdpa"),
      ),
    ],
  );
}

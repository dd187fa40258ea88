// What the CPU backend was to reach, and what was measured: from the rows of benchmarks/results/peers.jsonl.
import { javascriptRows, kernelPeerRows, memoryRows, more, peerRows } from "./docs-peers.mjs";
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
    ...["f32", "bf16"].map((precision) => speedupLine(last, precision)),
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

/** How many times faster two threads are than one, here and in tuned PyTorch: CPU time of one, the clock of two. */
function speedupLine(rows, precision) {
  const cells = STEPS.map((step) => {
    const of = (threads) => find(rows, { case: step, mode: "basic", precision, build: "tuned", threads });
    const [one, two] = THREADS.map(of);
    if (one === undefined || two === undefined) return "–";
    return `${(one.ours_ms / two.ours_ms).toFixed(2)} (${(one.peer_ms / two.peer_ms).toFixed(2)})`;
  });
  return [`2 threads / 1 thread in ${precision} (PyTorch, f32)`, "≥ 1.85 ×", ...cells];
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

const isProduct = (precision) => (row) => row.case.startsWith("gemm/") && row.case.endsWith(precision);
const isAttention = (row) => row.case.startsWith("attention/");

/** A product by our engine, of operands that lie as they are or that are transposed. */
const isPlain = (row) => row.case.includes("/NN/");
const by = (engine) => (row) => row.engine === engine;
const plainBy = (engine) => (row) => row.engine === engine && isPlain(row);
const transposedBy = (engine) => (row) => row.engine === engine && !isPlain(row);

/** Kernels of one thread beside libraries: most that the ratio was to be, which rows, and the library. */
const KERNELS = [
  { name: "products in f32 / OpenBLAS", target: "≤ 1.05", of: isProduct("f32"), library: "openblas" },
  { name: "products in f32 / MKL", target: "–", of: isProduct("f32"), library: "mkl" },
  {
    name: "products in bf16 / oneDNN on bf16 arrays",
    target: "≤ 1.05",
    of: isProduct("bf16"),
    library: "onednn bf16",
  },
  {
    name: "products in bf16 / oneDNN from and to f32, as here",
    target: "–",
    of: isProduct("bf16"),
    library: "onednn bf16 from f32",
  },
  { name: "attention, forward and backward / SDPA", target: "≤ 0.80", of: isAttention, library: "sdpa" },
];

/** Products of one thread beside other JavaScript engines. */
const ENGINES = [
  { name: "products in f32 / onnxruntime-node", target: "–", of: by("native"), library: "onnxruntime" },
  { name: "products in f32 / tfjs wasm", target: "–", of: by("native"), library: "tfjs wasm" },
  { name: "products in f32 / tfjs cpu", target: "–", of: by("native"), library: "tfjs cpu" },
  {
    name: "products in WebAssembly, NN / tfjs wasm, which has packed the weights",
    target: "≤ 1.00",
    of: plainBy("wasm"),
    library: "tfjs wasm",
  },
  {
    name: "products in WebAssembly, NN, new weights / tfjs wasm",
    target: "≤ 1.00",
    of: plainBy("wasm, new weights"),
    library: "tfjs wasm, new weights",
  },
  {
    name: "products in WebAssembly, NT and TN / tfjs wasm",
    target: "≤ 0.20",
    of: transposedBy("wasm"),
    library: "tfjs wasm",
  },
];

/** Kernels beside libraries, and beside other JavaScript engines: the middle and the worst ratio over shapes. */
export function kernelTargets(rows) {
  const [kernels, engines] = [kernelPeerRows(rows), javascriptRows(rows)];
  if (kernels.length === 0 && engines.length === 0) return NOT_MEASURED;
  return table(
    ["time of one thread", "to reach", "shapes", "median", "worst"],
    [
      ...KERNELS.map((figure) => kernelLine(kernels, figure)),
      ...ENGINES.map((figure) => kernelLine(engines, figure)),
    ],
  );
}

function kernelLine(rows, { name, target, of, library }) {
  const ratios = rows
    .filter((row) => row.threads === 1 && of(row))
    .map((row) => row.ours_ms / row.peers_ms[library])
    .toSorted((a, b) => a - b);
  if (ratios.length === 0) return [name, target, "–", "–", "–"];
  const middle = ratios[Math.floor((ratios.length - 1) / 2)];
  return [name, target, ratios.length, middle.toFixed(2), ratios.at(-1).toFixed(2)];
}

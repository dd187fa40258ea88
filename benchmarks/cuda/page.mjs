// The text of docs/cuda-roofline.md: what kernels move and compute in steps of LLaVA-1.5-7B, and what that takes at least.
import { GPUS, isMemoryBound, leastMs } from "./peaks.mjs";

/** Memory that GPUs have, for the table of what fits. */
const SIZES = [24, 40, 80];
/** Smaller numbers are nothing in these tables. */
const LEAST = 0.001;
/** Share of a step that the host may take. */
export const MOST_HOST_SHARE = 0.15;

/** Least milliseconds of all works on each GPU. */
export function leastOf(works, gpu, precision) {
  return works.reduce((sum, work) => sum + leastMs(work, gpu, precision), 0);
}

/** Works of one name together, the slowest on the H100 first. */
function byName(works, precision) {
  const kernels = new Map();
  for (const work of works) {
    const sum = kernels.get(work.name) ?? { ...work, launches: 0, bytes: 0, flops: 0, works: [] };
    sum.launches++;
    sum.bytes += work.bytes;
    sum.flops += work.flops;
    sum.works.push(work);
    kernels.set(work.name, sum);
  }
  const time = ({ works: own }) => leastOf(own, GPUS[1], precision);
  return [...kernels.values()].sort((a, b) => time(b) - time(a));
}

function table(header, rows) {
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Three significant digits, of what is not next to nothing. */
function short(value) {
  if (value === 0) return "0";
  if (value < LEAST) return `<${LEAST}`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3).replace(/\.?0+$/, "");
}

function peakTable() {
  const rows = GPUS.map(({ name, f32, tf32, bf16, bandwidth, source }) => [
    name,
    short(f32 / 1e12),
    short(tf32 / 1e12),
    short(bf16 / 1e12),
    (bandwidth / 1e9).toFixed(0),
    source,
  ]);
  return table(["GPU", "float32 TFLOP/s", "TF32 TFLOP/s", "bfloat16 TFLOP/s", "GB/s", "source"], rows);
}

function stepTable(steps) {
  const rows = steps.map(({ chosen, precision, rows: count, works }) => [
    chosen.name,
    precision,
    count,
    works.filter(({ kind }) => kind === "kernel").length,
    works.filter(({ kind }) => kind === "product").length,
    works.filter(({ kind }) => kind === "memory").length,
    short(works.reduce((sum, { flops }) => sum + flops, 0) / 1e12),
    short(works.reduce((sum, { bytes }) => sum + bytes, 0) / 1e9),
    ...GPUS.map((gpu) => short(leastOf(works, gpu, precision))),
  ]);
  const times = GPUS.map(({ name }) => `${name} ms`);
  const header = [
    "stage",
    "products in",
    "rows",
    "kernels",
    "products",
    "copies, fills",
    "TFLOP",
    "GB",
    ...times,
  ];
  return table(header, rows);
}

function kernelTable({ works, precision }) {
  const rows = byName(works, precision).map(({ launches, works: own, ...sum }) => [
    sum.name,
    launches,
    short(sum.bytes / launches / 1e6),
    short(sum.flops / launches / 1e9),
    short(sum.flops / sum.bytes),
    isMemoryBound(sum, GPUS[1], precision) ? "memory" : "FLOPs",
    ...GPUS.map((gpu) => short(leastOf(own, gpu, precision))),
  ]);
  const times = GPUS.map(({ name }) => `${name} ms`);
  return table(["kernel", "launches", "MB each", "GFLOP each", "FLOP a byte", "limit", ...times], rows);
}

function memoryTable(memory) {
  const rows = memory.map(({ chosen, samples, storage, precision, weightBytes, peakBytes }) => [
    chosen.name,
    storage,
    precision,
    samples,
    short(weightBytes / 1e9),
    short(peakBytes / 1e9),
    ...SIZES.map((size) => (peakBytes <= size * 1e9 ? "yes" : "no")),
  ]);
  const fits = SIZES.map((size) => `fits ${size} GB`);
  return table(
    ["stage", "frozen matrices", "activations", "samples at once", "weights, moments GB", "peak GB", ...fits],
    rows,
  );
}

/** The newest row of each case and precision of results/cuda.jsonl; older ones name no precision. */
function newest(text) {
  const rows = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter(({ kind, precision }) => kind === "host" && precision !== undefined);
  return [...new Map(rows.map((row) => [`${row.case} ${row.precision}`, row])).values()];
}

function hostTable(steps, host) {
  const h100 = GPUS[1];
  const rows = newest(host).map((row) => {
    const own = steps.find(
      ({ chosen, precision }) => chosen.name === row.case && precision === row.precision,
    );
    const share = row.host_ms / leastOf(own.works, h100, own.precision);
    const text = `${(100 * share).toFixed(1)} %${share > MOST_HOST_SHARE ? " (too much)" : ""}`;
    return [row.case, row.precision, row.launches, short(row.host_ms), text, row.device, row.commit];
  });
  const header = ["stage", "products in", "launches", "host ms", "of the H100's step", "processor", "commit"];
  return table(header, rows);
}

/** The page. */
export function rooflinePage({ steps, memory, host }) {
  const kernels = steps.flatMap((step) => [
    `## Kernels of ${step.chosen.title}, products in ${step.precision}`,
    "",
    kernelTable(step),
    "",
  ]);
  return [
    "# CUDA: what a step takes at least",
    "",
    "Nobody has run these kernels on a GPU yet, so nothing here is measured on one. Every program of `packages/backend-cuda` states what a",
    "launch moves and computes (`work`, beside its parameters); a step of LLaVA-1.5-7B is gone through by the same host code on an",
    "imagined GPU, and the launches are added up. Times are what peak figures allow: real ones are longer. Only attention may be faster:",
    "rows that several of its tiles read are counted each time, though the cache has many of them. Where products are in TF32, those of",
    "attention are too.",
    "`packages/backend-cuda/test/roofline.test.ts` writes this page with `-u`.",
    "",
    peakTable(),
    "",
    "## Steps",
    "",
    "16 samples: 576 visual rows and text (32 rows in align, 192 in finetune), cached features, direction and distribution losses,",
    "frozen matrices in bfloat16; blocks run again in their gradient; AdamW. In f32 and tf32 activations are float32, and products",
    "read the matrices as such; in bf16 both are in bfloat16, and attention reads float32 copies, which it rounds.",
    "",
    stepTable(steps),
    "",
    "## Time of the host",
    "",
    "Processor time of a step in the process that drives the GPU, from the batch to the last launch, against libraries that do nothing",
    "(`node benchmarks/cuda.mjs`); a real driver adds some microseconds to each launch. It overlaps with the GPU's time, and should stay",
    "below 15 % of it.",
    "",
    hostTable(steps, host),
    "",
    "## Memory",
    "",
    "Peak of the allocator's blocks, counted by the allocator itself on an imagined GPU, as `train --dry --device-memory 80GB` does",
    "for a recipe. The driver's own context and loaded kernels take some hundred MB more.",
    "",
    memoryTable(memory),
    "",
    ...kernels,
  ].join("\n");
}

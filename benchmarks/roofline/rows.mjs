// npm run bench -- roofline: what each kernel of a training step reaches of what the machine can do. One thread.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { stepCases } from "../peers/cases.mjs";
import { root } from "../rows.mjs";

const folder = join(root, "benchmarks", "roofline");

/** Compiles and runs peak.c. @returns Measured GFLOP/s and GB/s of one thread. */
function measurePeak() {
  const work = mkdtempSync(join(tmpdir(), "basic-mllm-peak-"));
  try {
    const program = join(work, "peak");
    execFileSync("cc", ["-O3", "-march=native", "-o", program, join(folder, "peak.c")], { stdio: "inherit" });
    return JSON.parse(execFileSync(program, { encoding: "utf8" }));
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Rows of a step case: one per kernel, the slowest first. */
export function rooflineRows({ filter, mode, steps }) {
  const chosen = stepCases.filter(({ name }) => name.includes(filter));
  if (chosen.length === 0) throw new Error(`No step case contains "${filter}".`);
  const peak = measurePeak();
  return chosen.flatMap((stepCase) => {
    const call = JSON.stringify({ case: stepCase, mode, steps });
    const text = execFileSync(process.execPath, [join(folder, "child.mjs"), call], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
      maxBuffer: 2 ** 26,
    });
    return summarise(JSON.parse(text.trim().split("\n").at(-1)), peak).map((row) => ({
      kind: "roofline",
      case: stepCase.name,
      mode,
      ...row,
    }));
  });
}

/**
 * Adds up the shapes of each kernel. `roof` is the time that the kernel's least work takes at the machine's peak, as a
 * share of the time it took: 1 is as fast as this machine can be. Caches lift it above 1 where arrays stay in them.
 */
export function summarise({ total_ms: total, groups }, peak) {
  const kernels = new Map();
  for (const { name, flops, bytes, count, ms } of groups) {
    const sum = kernels.get(name) ?? { calls: 0, ms: 0, flops: 0, bytes: 0, least: 0 };
    sum.calls += count;
    sum.ms += count * ms;
    sum.flops += count * flops;
    sum.bytes += count * bytes;
    sum.least += count * 1e3 * Math.max(flops / (peak.gflops * 1e9), bytes / (peak.gbs * 1e9));
    kernels.set(name, sum);
  }
  return [...kernels]
    .sort(([, a], [, b]) => b.ms - a.ms)
    .map(([kernel, { calls, ms, flops, bytes, least }]) => ({
      kernel,
      calls: round(calls, 1),
      ours_ms: round(ms),
      share: round(ms / total, 3),
      gflops: round(flops / ms / 1e6, 1),
      gbs: round(bytes / ms / 1e6, 1),
      roof: round(least / ms),
      peak_gflops: peak.gflops,
      peak_gbs: peak.gbs,
    }));
}

function round(value, digits = 2) {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

// node benchmarks/cuda.mjs [--dry] [--precision P]: time that the host takes for a training step of LLaVA-1.5-7B on CUDA, against
// libraries that do nothing (cuda/idle.c). Default: all precisions. Needs `npm run build` and a C compiler.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { precisions, start, startedBackend } from "@basic-mllm/backend-cuda";

import { openStep, stepCases } from "./cuda/llava.mjs";
import { median } from "./peers/turns.mjs";
import { provenance, report } from "./rows.mjs";

const { values } = parseArgs({ options: { dry: { type: "boolean" }, precision: { type: "string" } } });
const { dry = false } = values;
/** Steps that load kernels, describe products and let the compiler of JavaScript settle. */
const WARM = 3;
const TIMED = 9;

/** Milliseconds of the processor so far, this process's threads together. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

if (values.precision === undefined) {
  // A process each, so that none finds compiled code and memory of another.
  for (const precision of precisions) {
    const words = [fileURLToPath(import.meta.url), "--precision", precision, ...(dry ? ["--dry"] : [])];
    execFileSync(process.execPath, words, { stdio: "inherit" });
  }
} else {
  const folder = mkdtempSync(join(tmpdir(), "basic-mllm-idle-"));
  process.on("exit", () => rmSync(folder, { recursive: true }));
  const library = join(folder, "idle.so");
  const source = fileURLToPath(new URL("./cuda/idle.c", import.meta.url));
  execFileSync("cc", ["-O2", "-w", "-shared", "-fPIC", source, "-o", library], { stdio: "inherit" });
  const libraries = { cuda: library, nvrtc: library, cublasLt: library };
  await start({ libraries, imageFolder: join(folder, "images"), precision: values.precision });
  for (const chosen of stepCases) await measure(chosen, values.precision);
}

/** Appends a row: the host's time for a step, with zeros for weights. */
async function measure(chosen, precision) {
  const { session } = startedBackend();
  const opened = openStep(chosen);
  for (let i = 0; i < WARM; i++) await opened.step();
  const times = [];
  const before = session.launches;
  for (let i = 0; i < TIMED; i++) {
    const from = cpuMs();
    await opened.step();
    times.push(cpuMs() - from);
  }
  const launches = (session.launches - before) / TIMED;
  const host_ms = Math.round(10 * median(times)) / 10;
  opened.disposeOptimizer();
  opened.dispose();
  const { name } = chosen;
  report(
    "cuda",
    { kind: "host", case: name, precision, rows: opened.rows, launches, host_ms, ...provenance(1) },
    { dry },
  );
}

// node benchmarks/cuda.mjs [--dry]: time that the host takes for a training step of LLaVA-1.5-7B on CUDA, against libraries that do
// nothing (cuda/idle.c). Needs `npm run build` and a C compiler.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { start, startedBackend } from "@basic-mllm/backend-cuda";

import { openStep, stepCases } from "./cuda/llava.mjs";
import { median } from "./peers/turns.mjs";
import { provenance, report } from "./rows.mjs";

const dry = process.argv.includes("--dry");
/** Steps that load kernels, describe products and let the compiler of JavaScript settle. */
const WARM = 3;
const TIMED = 9;

const folder = mkdtempSync(join(tmpdir(), "basic-mllm-idle-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
const library = join(folder, "idle.so");
const source = fileURLToPath(new URL("./cuda/idle.c", import.meta.url));
execFileSync("cc", ["-O2", "-w", "-shared", "-fPIC", source, "-o", library], { stdio: "inherit" });

const libraries = { cuda: library, nvrtc: library, cublasLt: library };
await start({ libraries, imageFolder: join(folder, "images") });
const { session } = startedBackend();

/** Milliseconds of the processor so far, this process's threads together. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

for (const chosen of stepCases) {
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
  report(
    "cuda",
    { kind: "host", case: chosen.name, rows: opened.rows, launches, host_ms, ...provenance(1) },
    { dry },
  );
}

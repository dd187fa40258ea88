// Time of a training step of the quickstart: from a finished run, or from some steps trained now.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { root } from "./rows.mjs";

const STEPS = 60;

/** Rows of a run: mean time per step of each stage, without its first line, in which everything is new. */
export function rowsOfRun(folder) {
  const { name } = JSON.parse(readFileSync(join(folder, "recipe.json"), "utf8"));
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === "train");
  return [...new Set(lines.map(({ stage }) => stage))].map((stage) => {
    const own = lines.filter((line) => line.stage === stage);
    const steady = own.length > 1 ? own.slice(1) : own;
    const mean = steady.reduce((sum, line) => sum + line.stepMs, 0) / steady.length;
    return { case: `${name}/${stage}`, mode: "train", ours_ms: Math.round(mean * 100) / 100, ours_mb: null };
  });
}

/** Trains a few steps of each stage in a folder that is removed afterwards, and watches the memory. */
export async function trainForRows(recipe, { threads }) {
  const folder = mkdtempSync(join(tmpdir(), "basic-mllm-bench-"));
  const short = ["evaluation.blind=false", "evaluation.analysis=false", "evaluation.limit=32"];
  try {
    const peak = await runAndWatch([
      fileURLToPath(new URL("./dist/bin.js", import.meta.resolve("@basic-mllm/cli/package.json"))),
      ...["train", recipe, "--steps", String(STEPS), "--out", folder, "--no-report"],
      ...short.flatMap((change) => ["--set", change]),
      ...(threads === undefined ? [] : ["--threads", String(threads)]),
    ]);
    return rowsOfRun(folder).map((row) => ({ ...row, ours_mb: peak }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs node and returns the peak of its resident memory in MB; null where the system does not say. */
function runAndWatch(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", 2, 2] });
    let peak = null;
    const timer = setInterval(() => {
      peak = peakOf(child.pid) ?? peak;
    }, 100);
    child.on("error", reject);
    child.on("close", (code) => {
      clearInterval(timer);
      if (code === 0) resolve(peak);
      else reject(new Error(`basic-mllm train ended with exit code ${code}; see above`));
    });
  });
}

function peakOf(pid) {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? null : Math.round((Number(kilobytes) * 1024) / 1e6);
  } catch {
    return null;
  }
}

// Where a row was measured, and where rows are kept.
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Device, threads, commit and date: every row has them. */
export function provenance(threads = availableParallelism()) {
  const git = (...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--untracked-files=no", "--", "packages") !== "";
  return {
    threads,
    device: cpus()[0]?.model.trim() ?? "unknown",
    commit: `${git("rev-parse", "--short", "HEAD")}${changed ? " + changes" : ""}`,
    date: new Date().toISOString().slice(0, 10),
  };
}

/** Appends a row to results/<file>.jsonl unless it is a trial, and prints it. */
export function report(file, row, { dry }) {
  process.stdout.write(`${JSON.stringify(row)}\n`);
  if (dry) return;
  const folder = join(root, "benchmarks", "results");
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, `${file}.jsonl`), `${JSON.stringify(row)}\n`);
}

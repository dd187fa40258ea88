import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, it } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/cuda-report.mjs", import.meta.url));

it("the report for an issue is made on the emulator, and says so", () => {
  const folder = mkdtempSync(join(tmpdir(), "cuda-report-"));
  try {
    const out = join(folder, "report.md");
    const options = [
      "--emulator",
      "--only",
      "conformance,sanitizer,timings",
      "--contracts",
      "BasicRotary,BasicActivation",
    ];
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...options, "--out", out], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, expect.stringContaining("▶ timings")]);
    expect(stdout).toContain("This was the emulator: no GPU ran anything.");
    const text = readFileSync(out, "utf8");
    expect(text).toContain("**THIS IS NOT A GPU.**");
    expect(text).toContain("| device | CUDA emulator 0 |");
    expect(text).toMatch(/\| conformance \| passed \| (\d+) of \1 cases, 2 contracts \|/);
    expect(text).toMatch(
      /\| compute-sanitizer over conformance \| passed \| not run: the emulator has checks of its own/,
    );
    expect(text).toMatch(/\| causal attention 8 rows, 2 heads of 32, with gradients \| \d+ \| [\d.]+ \|/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("options and parts that there are not end it at once", () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
  expect(run("--only", "speed")).toMatchObject({
    status: 2,
    stderr: "There is no part speed. Parts: tests, conformance, golden, quickstart, sanitizer, timings.\n",
  });
  expect(run("--emulate")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("Unknown option '--emulate'"),
  });
});

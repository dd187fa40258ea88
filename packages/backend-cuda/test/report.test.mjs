import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { DEVICE_TESTS } from "../../../scripts/cuda-report/parts.mjs";
import {
  conformanceResult,
  goldenResult,
  gpuFacts,
  reportText,
  sanitizerResult,
  testResult,
  trainingResult,
} from "../../../scripts/cuda-report/text.mjs";

const part = {
  title: "conformance",
  ok: true,
  result: "403 of 403 cases, 33 contracts",
  seconds: 12.34,
  failures: [],
};
const timing = { name: "linear 8x64x96", ms: 0.5, flops: 4e9, bytes: 1e6, launches: 1 };
const report = {
  emulator: false,
  command: "npm run cuda:report",
  facts: [["device", "NVIDIA H100 80GB HBM3"]],
  parts: [part],
  timings: [timing, { ...timing, name: "add", flops: 0 }],
};

describe("the report", () => {
  it("has facts, parts and rates of a GPU", () => {
    expect(reportText(report)).toMatchInlineSnapshot(`
      "# CUDA report

      Everything passed. Made by \`npm run cuda:report\`; to be attached to an issue of basic-mllm.

      |  |  |
      | --- | --- |
      | device | NVIDIA H100 80GB HBM3 |

      ## Parts

      | part | result |  | seconds |
      | --- | --- | --- | --- |
      | conformance | passed | 403 of 403 cases, 33 contracts | 12.3 |

      ## Timings

      Median of rounds of calls, one after the other, that end in one wait: a kernel that is shorter than its launch on the host shows the host's time. Products in FLOP; bytes of inputs and outputs, each once.

      | kernel | launches | ms | TFLOP/s | GB/s |
      | --- | --- | --- | --- | --- |
      | linear 8x64x96 | 1 | 0.5 | 8 | 2 |
      | add | 1 | 0.5 |  | 2 |
      "
    `);
  });

  it("says loudly that the emulator is no GPU, and gives no rates of it", () => {
    const text = reportText({ ...report, emulator: true });
    expect(text).toMatch(
      /^# CUDA report \(emulator, no GPU\)\n\n> \[!WARNING\]\n> \*\*THIS IS NOT A GPU\.\*\*/,
    );
    expect(text).toContain("| linear 8x64x96 | 1 | 0.5 |\n");
    expect(text).not.toMatch(/TFLOP/);
  });

  it("shows failures, shortened, and hides what is the machine's own", () => {
    const failures = [
      { title: "BasicLinear: one row", text: `at /home/me/x\n\`\`\`\n${"line\n".repeat(100)}` },
    ];
    const failed = { ...part, ok: false, result: "402 of 403 cases", failures };
    const text = reportText({
      ...report,
      parts: [part, failed],
      hidden: [
        ["/home/me", "~"],
        ["", "?"],
      ],
    });
    expect(text).toContain("**1 of 2 parts failed**");
    expect(text).toContain(
      "## Failures: conformance\n\n### BasicLinear: one row\n\n```text\nat ~/x\n'''\nline\n",
    );
    expect(text).toMatch(/\n\.\.\. 62 more lines\n```\n/);
    expect(text).not.toContain("/home/me");
  });
});

describe("what is read from other programs", () => {
  it("counts and failures of conformance", () => {
    const counts = { contracts: 2, cases: 5, passed: 4, failed: 1, gaps: 0 };
    const output = `✖ BasicLinear: one row\n    forward: output 0 differs\nnoise\n${JSON.stringify(counts)}\n`;
    expect(conformanceResult(output)).toEqual({
      ok: false,
      result: "4 of 5 cases, 2 contracts",
      failures: [{ title: "BasicLinear: one row", text: "    forward: output 0 differs" }],
    });
    expect(conformanceResult(JSON.stringify({ ...counts, passed: 5, failed: 0 })).ok).toBe(true);
    expect(conformanceResult("killed")).toMatchObject({ ok: false, result: "no counts" });
  });

  it("recorded values that hold, and those that do not", () => {
    const summary = {
      losses: { passed: 3, failed: 1, gaps: 0, worst: 2 },
      ops: { passed: 7, failed: 0, gaps: 0, worst: 0.1 },
    };
    expect(goldenResult(`FAIL losses a: too far\n${JSON.stringify(summary)}`)).toEqual({
      ok: false,
      result: "10 of 11 recorded values",
      failures: [{ title: "recorded value", text: "FAIL losses a: too far" }],
    });
    expect(goldenResult("{}").ok).toBe(false);
  });

  it("tests that fail, and files that do not load", () => {
    const passed = { status: "passed", fullName: "a", failureMessages: [] };
    const failed = { status: "failed", fullName: "b", failureMessages: ["no"] };
    const files = [
      { name: "x.test.ts", status: "failed", message: "", assertionResults: [passed, failed] },
      { name: "y.test.ts", status: "failed", message: "cannot load", assertionResults: [] },
    ];
    expect(testResult({ numPassedTests: 1, numTotalTests: 2, testResults: files })).toEqual({
      ok: false,
      result: "1 of 2 tests",
      failures: [
        { title: "b", text: "no" },
        { title: "y.test.ts", text: "cannot load" },
      ],
    });
    expect(testResult({ numPassedTests: 0, numTotalTests: 0, testResults: [] }).ok).toBe(false);
  });

  it("the closing line of compute-sanitizer", () => {
    const clean = "========= COMPUTE-SANITIZER\n12 passed\n========= ERROR SUMMARY: 0 errors\n";
    expect(sanitizerResult("memcheck", clean, 0)).toEqual({
      ok: true,
      result: "memcheck: 0 errors",
      failures: [],
    });
    const races =
      "========= Error: Race reported\n========= RACECHECK SUMMARY: 2 hazards displayed (2 errors, 0 warnings)\n";
    expect(sanitizerResult("racecheck", races, 86)).toMatchObject({
      ok: false,
      failures: [{ title: "racecheck", text: expect.stringContaining("Race reported") }],
    });
    expect(sanitizerResult("memcheck", clean, 1).ok).toBe(false);
    expect(sanitizerResult("initcheck", "========= Error: no injection library", 13)).toMatchObject({
      ok: false,
      result: "initcheck did not end",
    });
  });

  it("how far losses are from those of the CPU", () => {
    const run = (...losses) =>
      losses.map((loss, step) => JSON.stringify({ kind: "train", stage: "align", step, loss })).join("\n");
    expect(trainingResult(run(2, 4), run(2, 4.002), 1e-3)).toEqual({
      ok: true,
      result: "2 logged losses, furthest from the CPU's: 5.0e-4 of the loss",
      failures: [],
    });
    expect(trainingResult(run(2, 4), run(2, 5), 1e-3).failures[0].text).toContain("align 1: CPU 4, CUDA 5");
    expect(trainingResult(run(2, 4), run(2), 1e-3).ok).toBe(false);
    expect(trainingResult(run(2, 4), run(2, 0).replace("0}", "null}"), 1e-3).ok).toBe(false);
  });

  it("what nvidia-smi knows of the first GPU", () => {
    const output = "NVIDIA H100 80GB HBM3, 550.54, [N/A], Disabled\nsecond, 550.54, 1, Enabled\n";
    expect(gpuFacts(["name", "driver", "vbios", "mig"], output)).toEqual([
      ["name", "NVIDIA H100 80GB HBM3"],
      ["driver", "550.54"],
      ["mig", "Disabled"],
    ]);
  });
});

it("every test that computes on the device is in the report", () => {
  const root = join(import.meta.dirname, "../../..");
  const folders = ["packages/backend-cuda/test", "packages/backend-cuda/src"];
  const tests = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".test.ts"))
      .map((file) => `${folder}/${file}`),
  );
  const onDevice = tests.filter((file) => readFileSync(join(root, file), "utf8").includes("TEST_DEVICE"));
  // Conformance is a part of its own.
  const missing = onDevice.filter((file) => !DEVICE_TESTS.some((each) => file.startsWith(each)));
  expect(missing).toEqual(["packages/backend-cuda/test/conformance.test.ts"]);
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { plain } from "../test/run-cli.js";
import { bytes, count, createTerminal, duration, enough, table } from "./terminal.js";

describe("numbers for people", () => {
  it("duration gives the two largest units", () => {
    expect([0, 59.4, 75, 3600, 5025].map(duration)).toEqual([
      "0 s",
      "59 s",
      "1 min 15 s",
      "1 h 0 min",
      "1 h 23 min",
    ]);
  });

  it("enough never shows less than there is", () => {
    expect([0, 999, 1536, 43_027_144, 999_500, 9_990_000, 1.1e6, 1.51e9].map(enough)).toEqual([
      "0 B",
      "999 B",
      "1.6 kB",
      "44 MB",
      "1.0 MB",
      "10 MB",
      "1.1 MB",
      "1.6 GB",
    ]);
  });

  it("bytes gives one decimal below ten", () => {
    expect([0, 999, 1536, 43_927_144, 1.5e9].map(bytes)).toEqual([
      "0 B",
      "999 B",
      "1.5 kB",
      "44 MB",
      "1.5 GB",
    ]);
  });

  it("count shortens thousands and millions", () => {
    expect([12, 1234, 1_234_567].map(count)).toEqual(["12", "1.2 k", "1.23 M"]);
  });
});

describe("table", () => {
  it("aligns columns and does not count colours", () => {
    const green = "\u001b[32myes\u001b[39m";
    const lines = table(
      ["NAME", "RUNS", ""],
      [
        ["a", green, "x"],
        ["longer", "no"],
      ],
    ).split("\n");
    expect(lines.map((line) => plain(line))).toEqual(["  NAME    RUNS", "  a       yes   x", "  longer  no"]);
  });
});

describe("createTerminal", () => {
  let stdout: string;
  let stderr: string;

  beforeEach(() => {
    [stdout, stderr] = ["", ""];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      stdout += String(text);
      return true;
    });
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
    vi.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it("writes lines to stdout and no result without --json", () => {
    const terminal = createTerminal({ json: false });
    terminal.line("hello");
    terminal.write("part");
    terminal.result({ a: 1 });
    expect([stdout, stderr]).toEqual(["hello\npart", ""]);
  });

  it("writes lines to stderr and one line of JSON to stdout with --json", () => {
    const terminal = createTerminal({ json: true });
    terminal.line("hello");
    terminal.warn("careful");
    terminal.result({ a: 1 });
    expect(stdout).toBe('{"a":1}\n');
    expect(plain(stderr)).toBe("hello\nwarning careful\n");
  });

  it("counts no work that was done before for the rate and the time left", () => {
    const progress = createTerminal({ json: false }).progress("features", 1000, 900);
    vi.advanceTimersByTime(10_000);
    progress.update(1000);
    progress.stop();
    expect(stdout).toBe("  features 1000/1000  10/s  0 s left\n");
  });

  it("prints a plain line of progress every tenth of the way, with rate and time left", () => {
    const progress = createTerminal({ json: false }).progress("align", 100);
    for (let done = 1; done <= 100; done++) {
      vi.advanceTimersByTime(100);
      progress.update(done, `loss ${(5 - done / 100).toFixed(2)}`);
    }
    progress.stop();
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe("  align 10/100  10/s  9 s left  loss 4.90");
    expect(lines.at(-1)).toBe("  align 100/100  10/s  0 s left  loss 4.00");
  });

  it("keeps a bar with its longest note within 80 columns", () => {
    vi.stubEnv("CI", undefined);
    const before = Object.getOwnPropertyDescriptors(process.stdout);
    Object.defineProperties(process.stdout, {
      isTTY: { value: true, configurable: true },
      columns: { value: 80, configurable: true },
    });
    const progress = createTerminal({ json: false }).progress("finetune", 1400);
    vi.advanceTimersByTime(10_000);
    progress.update(100, "loss 1.235 ratio 0.13 cos 0.46");
    progress.stop();
    for (const name of ["isTTY", "columns"] as const) {
      const descriptor = before[name];
      if (descriptor === undefined) Reflect.deleteProperty(process.stdout, name);
      else Object.defineProperty(process.stdout, name, descriptor);
    }
    vi.unstubAllEnvs();
    const lines = stdout.split(/[\r\n\p{Cc}]/u).map((line) => line.replace(/^\[[0-9;?]*[A-Za-z]/, ""));
    const shown = lines.find((line) => line.includes("cos 0.46")) ?? "";
    expect(shown.trim()).toMatchInlineSnapshot(
      `"finetune ░░░░░░ 100/1400  10/s  2m10s left  loss 1.235 ratio 0.13 cos 0.46"`,
    );
    expect(shown.length).toBeLessThanOrEqual(80);
  });

  it("prints a plain line at least every 15 seconds", () => {
    const progress = createTerminal({ json: false }).progress("slow", 1000);
    for (let done = 1; done <= 4; done++) {
      vi.advanceTimersByTime(8_000);
      progress.update(done);
    }
    expect(stdout.split("\n").filter((line) => line !== "")).toHaveLength(2);
  });
});

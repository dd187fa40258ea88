import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { runCliProcess } from "./cli-process.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-process-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a program in place of the command line. */
async function runProgram(source: string, signal = new AbortController().signal): Promise<string[]> {
  const program = join(folder, "program.mjs");
  await writeFile(program, source);
  const lines: string[] = [];
  const onLine = (line: string): void => {
    lines.push(line);
  };
  await runCliProcess({ program, command: ["train"], cache: folder, signal, name: "runs/a", onLine });
  return lines;
}

describe("runCliProcess", () => {
  it("gives the lines for people, and asks for the result as JSON", async () => {
    const source = "console.error(process.argv.slice(2).join(' ')); console.log('{}')";
    expect(await runProgram(source)).toEqual(["train --json"]);
  });

  it("throws what the command printed as its error, with the name in front", async () => {
    const error = { code: "E_USAGE", message: "Wrong. [E_USAGE]" };
    const source = `console.log(${JSON.stringify(JSON.stringify({ error }))}); process.exitCode = 2`;
    await expect(runProgram(source)).rejects.toMatchObject({
      code: "E_USAGE",
      message: "runs/a: Wrong. [E_USAGE]",
    });
  });

  it("says how a process without an error ended", async () => {
    await expect(runProgram("process.exit(7)")).rejects.toThrow("The process of runs/a ended with 7.");
    await expect(runProgram("process.kill(process.pid, 'SIGKILL')")).rejects.toThrow(
      "The process of runs/a was ended by SIGKILL, which systems send where memory runs out. Resume its run.",
    );
    await expect(runProgram("process.kill(process.pid, 'SIGTERM')")).rejects.toThrow(
      "The process of runs/a was ended by SIGTERM. Resume its run.",
    );
  });

  it("says so as well where it was killed in the middle of its result", async () => {
    const source = "process.stdout.write('{\"error\":', () => process.kill(process.pid, 'SIGKILL'))";
    await expect(runProgram(source)).rejects.toThrow("The process of runs/a was ended by SIGKILL");
  });

  it("is interrupted where it was stopped before the command could listen", async () => {
    await expect(runProgram("setInterval(() => {}, 1e4)", AbortSignal.abort())).rejects.toMatchObject({
      code: "E_INTERRUPTED",
      message: "runs/a: stopped while it started. Resume the run to go on. [E_INTERRUPTED]",
    });
  });
});

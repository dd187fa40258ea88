import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { ConformanceFailure, ConformanceResult } from "@basic-mllm/testing";
import { build } from "esbuild";
import { expect } from "vitest";

const runFile = promisify(execFile);
const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const GOLDEN = fileURLToPath(new URL("../../../golden", import.meta.url));

/** What suite-program.ts prints. */
export interface SuiteResult {
  readonly device: string;
  readonly conformance: Omit<ConformanceResult, "failures">;
  readonly failures: readonly ConformanceFailure[];
  readonly golden: Readonly<Record<string, { passed: number; failed: number; gaps: number }>>;
  /** Cases whose bits depend on the number of threads. */
  readonly unequal: readonly string[];
}

/** Bundles a program of this folder into one file; kernels are looked for beside `folder`. */
export async function bundle(program: string, folder = `${PACKAGE}.cache`): Promise<string> {
  const outfile = `${folder}/${program}.mjs`;
  await build({
    entryPoints: [`${PACKAGE}test/${program}.ts`],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@basic-mllm/source", "module"],
    mainFields: ["module", "main"],
    // Imported when it is asked for, and these programs ask for the CPU alone.
    external: ["@basic-mllm/backend-cuda"],
    banner: {
      js: 'import { createRequire as createBundleRequire } from "node:module"; const require = createBundleRequire(import.meta.url);',
    },
    logLevel: "error",
  });
  return outfile;
}

/** Runs every check in a process of its own: `command` starts Node. */
export async function runSuite(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<SuiteResult> {
  const [node = process.execPath, ...args] = command;
  const program = await bundle("suite-program");
  const { stdout } = await runFile(node, [...args, program, GOLDEN], {
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as SuiteResult;
}

/** Fails unless every check passed on this device. */
export function expectAllPassed(result: SuiteResult, device: string): void {
  expect(result.device).toContain(device);
  expect(result.failures).toEqual([]);
  expect(result.conformance).toMatchObject({ failed: 0, gaps: 0 });
  expect(result.conformance.cases).toBeGreaterThan(300);
  for (const family of ["ops", "losses"]) {
    expect(result.golden[family]).toMatchObject({ failed: 0, gaps: 0 });
    expect(result.golden[family]?.passed).toBeGreaterThan(20);
  }
  expect(result.unequal).toEqual([]);
}

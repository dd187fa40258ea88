import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import * as tf from "@tensorflow/tfjs-core";

import { type CaseRecord, type CaseResult, GoldenCase } from "./golden-case.js";

/** One thing to check. */
export interface Check {
  readonly name: string;
  /** @param toleranceFactor - On the tolerances of what a device computes. */
  readonly run: (toleranceFactor: number) => Promise<CaseResult>;
}

/** A family that we check: turns its folder into checks. */
export type Family = (folder: string) => readonly Check[];

/** Something that does not work yet, and why. A gap that passes fails the run. */
export interface KnownGap {
  readonly family: string;
  /** Name of the case; absent: the whole family, which then has no code to run. */
  readonly name?: string;
  readonly reason: string;
}

/** What {@link runGolden} needs. */
export interface GoldenRun {
  readonly root: string;
  /** Empty: every folder of `root`. */
  readonly wanted: readonly string[];
  readonly families: Readonly<Record<string, Family>>;
  readonly gaps: readonly KnownGap[];
  readonly log: (line: string) => void;
  /** Of the device, as it declares it. Default 1. */
  readonly toleranceFactor?: number;
}

/** Numbers of one family. */
export interface FamilySummary {
  passed: number;
  failed: number;
  gaps: number;
  /** Largest error / tolerance. */
  worst: number;
}

/** Checks every case of every family that was asked for. Unknown families, ops and options are failures. */
export async function runGolden(run: GoldenRun): Promise<Readonly<Record<string, FamilySummary>>> {
  const found = readdirSync(run.root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const names = run.wanted.length > 0 ? run.wanted : found.map((entry) => entry.name).sort();
  const summary: Record<string, FamilySummary> = {};
  for (const name of names) summary[name] = await runFamily(name, run);
  return summary;
}

/** Whether anything failed, or nothing was checked. */
export function hasFailed(summary: Readonly<Record<string, FamilySummary>>): boolean {
  const families = Object.values(summary);
  return (
    families.length === 0 || families.some(({ failed, passed, gaps }) => failed > 0 || passed + gaps === 0)
  );
}

async function runFamily(name: string, run: GoldenRun): Promise<FamilySummary> {
  const summary: FamilySummary = { passed: 0, failed: 0, gaps: 0, worst: 0 };
  const folder = join(run.root, name);
  if (!existsSync(folder)) {
    run.log(`FAIL ${name}: there is no folder ${folder}`);
    return { ...summary, failed: 1 };
  }
  const family = run.families[name];
  const familyGap = run.gaps.find((gap) => gap.family === name && gap.name === undefined);
  if (family === undefined) {
    if (familyGap === undefined) {
      run.log(`FAIL ${name}: unknown family. Add it to the runner, or list it as a gap with its reason.`);
      return { ...summary, failed: 1 };
    }
    run.log(`gap  ${name}: ${familyGap.reason}`);
    return { ...summary, gaps: countCases(folder) };
  }
  for (const check of family(folder)) await runCheck(name, check, { run, summary });
  return summary;
}

async function runCheck(
  family: string,
  check: Check,
  { run, summary }: { run: GoldenRun; summary: FamilySummary },
): Promise<void> {
  const title = `${family}/${check.name}`;
  const gap = run.gaps.find((candidate) => candidate.family === family && candidate.name === check.name);
  const { worst, problems } = await attempt(check, run.toleranceFactor);
  if (gap !== undefined && problems.length > 0) {
    summary.gaps++;
    run.log(`gap  ${title}: ${gap.reason}`);
    return;
  }
  summary.worst = Math.max(summary.worst, worst);
  const all = gap === undefined ? problems : ["it is listed as a known gap, but passes: remove the gap"];
  if (all.length === 0) {
    summary.passed++;
    run.log(`ok   ${title} (${worst.toPrecision(2)} of the tolerance)`);
    return;
  }
  summary.failed++;
  for (const problem of all) run.log(`FAIL ${title}: ${problem}`);
}

/** Runs a check in a scope of its own, which frees its tensors. */
async function attempt(check: Check, toleranceFactor = 1): Promise<CaseResult> {
  const engine = tf.engine();
  engine.startScope(check.name);
  try {
    return await check.run(toleranceFactor);
  } catch (error) {
    return { worst: 0, problems: [error instanceof Error ? error.message : String(error)] };
  } finally {
    engine.endScope();
  }
}

/** Cases of a family that we cannot check: those of its index, or its files. */
function countCases(folder: string): number {
  const index = join(folder, "index.json");
  if (existsSync(index)) return readIndex(folder).length;
  return readdirSync(folder).length;
}

/** The cases of a family. */
export function readIndex(folder: string): readonly CaseRecord[] {
  const { cases } = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as { cases: CaseRecord[] };
  return cases;
}

/** A check of one case of the index. */
export function caseCheck(
  folder: string,
  record: CaseRecord,
  body: (golden: GoldenCase) => Promise<void>,
): Check {
  return {
    name: record.name,
    run: async (toleranceFactor) => {
      const golden = new GoldenCase(folder, record, toleranceFactor);
      await body(golden);
      return golden.finish();
    },
  };
}

/** A check of a JSON file beside the index: exact up to `tolerance`. */
export function jsonCheck<Content>(
  folder: string,
  file: string,
  differences: (content: Content) => readonly { readonly label: string; readonly error: number }[],
): readonly Check[] {
  const path = join(folder, file);
  const run = async (): Promise<CaseResult> => {
    if (!existsSync(path)) return { worst: 0, problems: [`there is no file ${path}`] };
    const found = differences(JSON.parse(readFileSync(path, "utf8")) as Content);
    const bad = found.filter(({ error }) => !(error <= JSON_TOLERANCE));
    const worst = found.reduce((largest, { error }) => Math.max(largest, error / JSON_TOLERANCE), 0);
    return { worst, problems: bad.map(({ label, error }) => `${label}: error ${error.toExponential(2)}`) };
  };
  return [{ name: file, run }];
}

/** JSON holds doubles, and both sides compute in double precision. */
const JSON_TOLERANCE = 1e-12;

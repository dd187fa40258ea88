import "@tensorflow/tfjs-backend-cpu";

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encodeSafetensors } from "@basic-mllm/weights";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { CaseRecord, GoldenCase } from "./golden-case.js";
import { lossFamily } from "./losses.js";
import { opFamily } from "./ops.js";
import {
  caseCheck,
  type Family,
  hasFailed,
  jsonCheck,
  type KnownGap,
  readIndex,
  runGolden,
} from "./runner.js";

const root = mkdtempSync(join(tmpdir(), "golden-"));
const lines: string[] = [];

beforeAll(async () => {
  await tf.setBackend("cpu");
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

/** Writes a family of one case whose expected `out.y` is [1, 2] within 0.1. */
function writeFamily(name: string, fields: Partial<CaseRecord> = {}): void {
  const folder = join(root, name);
  mkdirSync(folder, { recursive: true });
  const record = { name: "one", file: "one.safetensors", tol: { "out.y": 0.1 }, ...fields };
  writeFileSync(join(folder, "index.json"), JSON.stringify({ family: name, cases: [record] }));
  const y = { name: "out.y", shape: [2], values: Float32Array.of(1, 2) };
  writeFileSync(join(folder, "one.safetensors"), encodeSafetensors([y]));
}

function familyOf(body: (golden: GoldenCase) => void): Family {
  return (folder) =>
    readIndex(folder).map((record) => caseCheck(folder, record, async (golden) => body(golden)));
}

async function run(body: (golden: GoldenCase) => void, gaps: readonly KnownGap[] = []) {
  writeFamily("toy");
  lines.length = 0;
  const families = { toy: familyOf(body) };
  const summary = await runGolden({ root, wanted: ["toy"], families, gaps, log: (line) => lines.push(line) });
  return { summary: summary["toy"], failed: hasFailed(summary), text: lines.join("\n") };
}

describe("runGolden", () => {
  it("passes within the tolerance and reports the largest share of it", async () => {
    const { summary, failed } = await run((golden) => golden.compare("out.y", [1.05, 2]));
    expect(summary).toMatchObject({ passed: 1, failed: 0, gaps: 0 });
    expect(summary?.worst).toBeCloseTo(0.5, 5);
    expect(failed).toBe(false);
  });

  it.each([
    ["beyond the tolerance", [1.11, 2], /error 1\.10e-1, tolerance 1\.00e-1/],
    ["not a number", [Number.NaN, 2], /error Infinity/],
    ["of another length", [1], /1 values, expected 2/],
  ])("fails where a value is %s", async (_, values, message) => {
    const { summary, failed, text } = await run((golden) => golden.compare("out.y", values));
    expect(summary).toMatchObject({ passed: 0, failed: 1 });
    expect(failed).toBe(true);
    expect(text).toMatch(message);
  });

  it("fails where an expected tensor is forgotten", async () => {
    const { text, failed } = await run(() => undefined);
    expect(failed).toBe(true);
    expect(text).toContain("out.y: nothing was compared with it");
  });

  it("fails where the case has a field or an option that nobody reads", async () => {
    const { failed, text } = await run((golden) => {
      (golden.record as Record<string, unknown>)["twist"] = 1;
      golden.allowFields();
    });
    expect(failed).toBe(true);
    expect(text).toContain("unknown field twist");
  });

  it("counts a known gap that fails, and fails a gap that passes", async () => {
    const gaps = [{ family: "toy", name: "one", reason: "not built yet" }];
    const open = await run((golden) => golden.compare("out.y", [0, 0]), gaps);
    expect(open.summary).toMatchObject({ passed: 0, failed: 0, gaps: 1 });
    expect(open.failed).toBe(false);
    const closed = await run((golden) => golden.compare("out.y", [1, 2]), gaps);
    expect(closed.failed).toBe(true);
    expect(closed.text).toContain("known gap, but passes");
  });

  it("fails for an unknown family, counts a family gap, and fails for a folder that is not there", async () => {
    writeFamily("strange");
    const settings = { root, families: {}, gaps: [], log: () => undefined };
    const unknown = await runGolden({ ...settings, wanted: ["strange"] });
    expect(unknown["strange"]).toMatchObject({ failed: 1 });
    const gaps = [{ family: "strange", reason: "not built yet" }];
    const known = await runGolden({ ...settings, gaps, wanted: ["strange"] });
    expect(known["strange"]).toMatchObject({ failed: 0, gaps: 1 });
    expect(hasFailed(await runGolden({ ...settings, wanted: ["absent"] }))).toBe(true);
  });

  it("fails where a JSON file beside the index is missing or beyond its tolerance", async () => {
    const folder = join(root, "toy");
    const check = (error: number) =>
      jsonCheck<unknown>(folder, "extra.json", () => [{ label: "one", error }]);
    expect(await check(0)[0]?.run(1)).toMatchObject({
      problems: [expect.stringMatching(/there is no file .*extra.json/)],
    });
    writeFileSync(join(folder, "extra.json"), "{}");
    expect(await check(0)[0]?.run(1)).toEqual({ worst: 0, problems: [] });
    expect(await check(1)[0]?.run(1)).toMatchObject({ problems: ["one: error 1.00e+0"] });
  });

  it("leaks no tensors", async () => {
    const before = tf.memory().numTensors;
    await run((golden) => {
      golden.tensor("out.y");
      golden.compare("out.y", [1, 2]);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("families", () => {
  const cases: readonly [string, Family, Partial<CaseRecord>, RegExp][] = [
    ["ops", opFamily, { op: "fft" }, /unknown op "fft"/],
    ["ops", opFamily, { op: "activation", name: "activation.mish" }, /unknown activation "mish"/],
    ["losses", lossFamily, { kind: "sequence" }, /unknown kind "sequence"/],
    ["losses", lossFamily, { options: { scheme: "increasing", warp: 9 } }, /unknown option warp/],
  ];

  it.each(cases)("of %s fail for what they do not know: %s %j", async (name, family, fields, message) => {
    writeFamily(name, fields);
    const withInput = { name: "in.x", shape: [1], values: Float32Array.of(1) };
    writeFileSync(join(root, name, "one.safetensors"), encodeSafetensors([withInput]));
    lines.length = 0;
    const summary = await runGolden({
      root,
      wanted: [name],
      families: { [name]: family },
      gaps: [],
      log: (line) => lines.push(line),
    });
    expect(hasFailed(summary)).toBe(true);
    expect(lines.join("\n")).toMatch(message);
  });
});

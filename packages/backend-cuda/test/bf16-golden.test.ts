import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, it } from "vitest";

import { type CaseRecord, GoldenCase } from "../../../conformance/golden/golden-case.js";
import { readIndex } from "../../../conformance/golden/runner.js";
import { checkTrajectory } from "../../../conformance/golden/trajectory.js";
import { start, stop } from "../src/index.js";
import { TEST_DEVICE } from "./device.js";

const folder = join(fileURLToPath(new URL("../../../golden", import.meta.url)), "llava");
const records = readIndex(folder);
const data = new Map(records.filter(({ kind }) => kind === "data").map((record) => [record.name, record]));

beforeAll(() => start({ ...TEST_DEVICE, precision: "bf16" }));
afterAll(stop);

/** Two roundings of bfloat16: a loss is a mean over rows, whose roundings differ. */
const NEAR = 2 ** -8;

/** A recorded run that is not compared, but kept beside ours. */
class Recorded extends GoldenCase {
  readonly actual = new Map<string, ArrayLike<number>>();

  override compare(name: string, actual: ArrayLike<number>): void {
    this.actual.set(name, actual);
  }
}

/** Losses of the steps of a run: PyTorch's in float32, and ours. */
async function lossesOf(
  record: CaseRecord,
): Promise<readonly (readonly [expected: number, actual: number])[]> {
  const golden = new Recorded(folder, record);
  await checkTrajectory(golden, data);
  const name = "out.log.total";
  return Array.from(golden.floats(name), (loss, i) => [loss, golden.actual.get(name)?.[i] ?? Number.NaN]);
}

it.each(records.filter(({ kind }) => kind === "trajectory").map((record) => [record.name, record] as const))(
  "%s: the losses are those of float32, within 0.4 %, and fall",
  async (_, record) => {
    const losses = await lossesOf(record);
    expect(losses.length).toBe(12);
    for (const [expected, actual] of losses)
      expect(Math.abs(actual - expected)).toBeLessThan(NEAR * expected);
    expect(losses.at(-1)?.[1]).toBeLessThan(0.85 * (losses[0]?.[1] ?? 0));
  },
);

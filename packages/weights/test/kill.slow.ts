import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createRandom } from "@basic-mllm/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { bundleChild, outcomeOf, runChild } from "./killed-run.js";

const MOMENTS = 30;

describe("a run that is killed with SIGKILL", () => {
  let folder: string;
  let child: string;
  let duration: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kill-"));
    child = await bundleChild(folder);
    const start = performance.now();
    await runChild(child, join(folder, "whole"));
    duration = performance.now() - start;
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it(`at ${MOMENTS} random moments and resumed each time ends with the same bits`, {
    timeout: 600_000,
  }, async () => {
    const random = createRandom(20, "moments");
    const whole = await outcomeOf(join(folder, "whole"));
    let [kills, runs] = [0, 0];
    while (kills < MOMENTS) {
      const run = join(folder, `run-${runs++}`);
      while (kills < MOMENTS) {
        const ended = await runChild(child, run, { milliseconds: duration * random.uniform() });
        if (ended) break;
        kills++;
      }
      await runChild(child, run);
      expect(await outcomeOf(run)).toEqual(whole);
    }
  });
});

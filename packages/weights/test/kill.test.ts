import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { bundleChild, outcomeOf, runChild } from "./killed-run.js";

describe("a run that is killed with SIGKILL", () => {
  let folder: string;
  let child: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kill-"));
    child = await bundleChild(folder);
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("at three moments and resumed ends with the same bits as an undisturbed one", async () => {
    const [whole, killed] = [join(folder, "whole"), join(folder, "killed")];
    expect(await runChild(child, whole)).toBe(true);
    for (const steps of [7, 12, 9]) expect(await runChild(child, killed, { steps })).toBe(false);
    expect(await runChild(child, killed)).toBe(true);
    expect(await outcomeOf(killed)).toEqual(await outcomeOf(whole));
    expect(await readdir(killed)).toEqual(["checkpoints", "metrics.jsonl", "recipe.json"]);
  });

  it("while it tunes adapters with dropout on grouped samples ends with the same bits too", async () => {
    const adapters = await bundleChild(folder, "kill-lora-child");
    const [whole, killed] = [join(folder, "whole-lora"), join(folder, "killed-lora")];
    expect(await runChild(adapters, whole)).toBe(true);
    for (const steps of [8, 13]) expect(await runChild(adapters, killed, { steps })).toBe(false);
    expect(await runChild(adapters, killed)).toBe(true);
    expect(await outcomeOf(killed)).toEqual(await outcomeOf(whole));
  });
});

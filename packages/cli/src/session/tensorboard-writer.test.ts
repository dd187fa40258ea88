import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TrainEvent } from "@basic-mllm/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { createEventWriter } from "./tensorboard-writer.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "events-"));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

const evaluation = (step: number): TrainEvent => ({
  kind: "metrics",
  line: { kind: "evaluation", stage: "a", step, globalStep: step, split: "test", metrics: { name: 0.5 } },
});

describe("createEventWriter", () => {
  it("makes no file before the run has begun", async () => {
    const writer = createEventWriter(folder, () => undefined);
    await writer.close();
    expect(await readdir(folder)).toEqual([]);
    writer.see({ kind: "stage-start", stage: "a", step: 0, globalStep: 0, steps: 1 });
    await writer.close();
    expect(await readdir(folder)).toEqual([
      expect.stringMatching(/^events\.out\.tfevents\.\d+\.basic-mllm$/),
    ]);
  });

  it.runIf(existsSync("/dev/full"))("warns once where the disk is full, and rejects nothing", async () => {
    vi.useFakeTimers({ now: 5000, toFake: ["Date"] });
    await symlink("/dev/full", join(folder, "events.out.tfevents.5.basic-mllm"));
    const warnings: string[] = [];
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const writer = createEventWriter(folder, (text) => warnings.push(text.replace(folder, "RUN")));
    writer.see(evaluation(1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    writer.see(evaluation(2));
    await writer.close();
    await new Promise((resolve) => setTimeout(resolve, 0));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(warnings).toEqual([
      "RUN/events.out.tfevents.5.basic-mllm cannot be written, so TensorBoard shows only part of this run: ENOSPC: no space left on device, write",
    ]);
  });
});

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { swiftShaderEnvironment } from "../../backend-webgpu/scripts/swiftshader.mjs";
import { startCli } from "./child.js";

/** A short quickstart: SwiftShader computes on the processor. */
const SHORT = [
  ...["--steps", "6", "--set", "data.builder.options.train1=64", "--set", "data.builder.options.train2=64"],
  ...["--set", "data.builder.options.test=8", "--set", "evaluation.blind=false"],
  ...["--set", "stages.align.logEvery=1", "--set", "stages.finetune.logEvery=1"],
  ...["--set", "stages.align.batchSize=8", "--set", "stages.finetune.batchSize=8"],
];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mllm-webgpu-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Line {
  readonly kind: string;
  readonly stage: string;
  readonly loss: number;
}

async function trained(backend: string): Promise<readonly Line[]> {
  const out = join(folder, backend);
  const argv = ["train", "quickstart", "--backend", backend, "--out", out, ...SHORT, "--json"];
  const child = startCli(argv, swiftShaderEnvironment());
  expect([await child.ended, child.output()]).toEqual([0, expect.stringContaining('"recipe":"quickstart"')]);
  const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Line).filter(({ kind }) => kind === "train");
}

it("the quickstart on WebGPU ends within 1 % of the loss that it has on the CPU", async () => {
  const [cpu, webgpu] = [await trained("cpu"), await trained("webgpu")];
  expect(webgpu.map(({ stage }) => stage)).toEqual(cpu.map(({ stage }) => stage));
  for (const [i, { loss }] of webgpu.entries()) {
    const expected = cpu[i]?.loss as number;
    expect(Math.abs(loss - expected), `step ${i}: ${loss}, on the CPU ${expected}`).toBeLessThan(
      0.01 * expected,
    );
  }
});

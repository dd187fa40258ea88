import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { startCli } from "./child.js";
import { writeMiniTask } from "./mini.js";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mllm-webgpu-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Losses of a run, by step. */
async function losses(recipe: string, backend: string): Promise<readonly number[]> {
  const out = join(folder, backend);
  const child = startCli(["train", recipe, "--backend", backend, "--out", out, "--json"]);
  expect([await child.ended, child.output()]).toEqual([0, expect.stringContaining('"recipe":"mini"')]);
  const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trim().split("\n");
  return lines
    .map((line) => JSON.parse(line) as { kind: string; loss: number })
    .filter(({ kind }) => kind === "train")
    .map(({ loss }) => loss);
}

/** A process that finds no driver, whatever the machine has. */
const NO_DRIVER = { VK_ICD_FILENAMES: "/none", VK_DRIVER_FILES: "/none" };

describe("--backend webgpu", () => {
  it("trains through both stages as the CPU does", async () => {
    const recipe = await writeMiniTask(folder);
    const [cpu, webgpu] = [await losses(recipe, "cpu"), await losses(recipe, "webgpu")];
    expect(webgpu).toHaveLength(cpu.length);
    for (const [i, loss] of webgpu.entries()) expect(loss / (cpu[i] as number)).toBeCloseTo(1, 3);
  }, 240_000);

  it("predicts the memory of both stages", async () => {
    const recipe = await writeMiniTask(folder);
    const child = startCli(["train", recipe, "--backend", "webgpu", "--dry", "--json"]);
    expect(await child.ended).toBe(0);
    const last = child.output().trim().split("\n").at(-1) ?? "";
    const { memory } = JSON.parse(last) as { memory: { state: number; training: number }[] };
    expect(memory).toHaveLength(2);
    for (const { state, training } of memory) expect(training).toBeGreaterThan(state);
  }, 240_000);

  it.runIf(process.platform === "linux")(
    "ends where there is no adapter, and names the CPU backend",
    async () => {
      const child = startCli(
        ["train", "quickstart", "--backend", "webgpu", "--out", "never-made"],
        NO_DRIVER,
      );
      expect(await child.ended).toBe(1);
      expect(child.output()).toContain(
        'error startBackend: the backend "webgpu" did not start: WebGPU finds no adapter: this machine has no GPU with a driver ' +
          'for Vulkan, Metal or Direct3D 12 that it may use. Use the backend "cpu", which runs everywhere.',
      );
    },
  );
});

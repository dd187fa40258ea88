import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-imagined-bf16-"));
});
afterAll(() => rm(folder, { recursive: true }));

it("a recipe's bf16 reaches an imagined GPU", async () => {
  const recipe = await writeMiniTask(folder, {});
  const { code, out } = await cli([
    ...["train", recipe, "--backend", "cuda", "--dry", "--device-memory", "8GB"],
    ...["--set", "precision=bf16", "--out", "never-made"],
  ]);
  expect(out).toContain("nothing is computed; activations and factors of products in bf16)");
  expect(code).toBe(0);
}, 240_000);

import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "@basic-mllm/cli";
import { afterAll, beforeAll, expect, it, vi } from "vitest";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const RECIPE = "examples/recipes/my-pictures.yaml";
const before = process.cwd();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-"));
  vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
  // As its README says: the recipe's paths start there.
  process.chdir(REPOSITORY);
});
afterAll(async () => {
  process.chdir(before);
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

it("answers questions about the user's own pictures", async () => {
  const out = join(folder, "run");
  expect(await main(["train", RECIPE, "--out", out])).toBe(0);
  const { steps, evaluations } = JSON.parse(await readFile(join(out, "evaluation.json"), "utf8"));
  expect(steps).toBe(180);
  expect(evaluations).toEqual([
    { split: "pictures", metrics: expect.objectContaining({ nll: expect.any(Number) }) },
  ]);
  // Twelve questions: right but for one, or all.
  expect(evaluations[0].metrics.answer).toBeGreaterThan(0.9);
  expect(existsSync(join(out, "report.html"))).toBe(true);
});

// The files that docs/writing-*.md and docs/your-own.md show, used as the pages say.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";

import { cli } from "./run-cli.js";

import "../../../docs/examples/parts/my-languages.test.mjs";
import "../../../docs/examples/parts/my-losses.test.mjs";
import "../../../docs/examples/parts/my-projectors.test.mjs";

const parts = join(import.meta.dirname, "../../../docs/examples/parts");
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-parts-"));
  vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

it("train and measure with a loss, a projector and an encoder of one's own", async () => {
  const set = (field) => ["--set", field];
  const { code, out } = await cli([
    "train",
    join(parts, "my-recipe.yaml"),
    ...["--steps", "2", "--out", join(folder, "run"), "--no-report"],
    ...set('plugins=["./my-losses.mjs","./my-projectors.mjs","./my-encoders.mjs"]'),
    ...set("data.builder.options.train1=20"),
    ...set("data.builder.options.train2=30"),
    ...set("data.builder.options.test=10"),
    ...set("model.projector=scaled-linear"),
    ...set("model.projectorInit=default"),
    ...set("model.vision=mean-colour"),
  ]);
  expect(out).toContain("0.01 length");
  expect([code, out]).toEqual([0, expect.stringMatching(/ratio|unseen-artist/)]);
}, 180_000);

it("train with an encoder, a projector, a language model and data of one's own", async () => {
  const recipes = join(import.meta.dirname, "../../../examples/recipes");
  const { code, out } = await cli([
    "train",
    join(parts, "my-parts.yaml"),
    ...["--out", join(folder, "own")],
    ...["--set", `data.folder="${recipes}"`, "--set", `model.tokenizer="${join(recipes, "tokenizer")}"`],
  ]);
  expect([code, out]).toEqual([0, expect.stringContaining("report.html")]);
}, 180_000);

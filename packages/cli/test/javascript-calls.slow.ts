// Every shipped recipe, trained and evaluated for some steps, and a talk about a picture: all tensor-sized work is native.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recipes } from "@basic-mllm/recipes";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { javascriptCalls } from "./javascript-calls.js";
import { png } from "./mini.js";
import { cli } from "./run-cli.js";

/** Fewer pictures, and both of BASIC's losses from the first step on. */
const SMALL = ["train1=40", "train2=40", "test=20"].map((change) => `data.builder.options.${change}`);
const BASIC = ["align", "finetune"].flatMap((stage) =>
  ["direction=1", "distribution=0.01"].map((loss) => `stages.${stage}.losses.${loss}`),
);

describe("tensor-sized work in JavaScript", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-calls-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  async function train(recipe: string, changes: readonly string[], name = recipe): Promise<string> {
    const out = join(folder, name);
    const sets = changes.flatMap((change) => ["--set", change]);
    const { code, out: text } = await cli([
      "train",
      recipe,
      "--steps",
      "3",
      "--out",
      out,
      "--no-report",
      ...sets,
    ]);
    expect(code, text).toBe(0);
    return out;
  }

  it.each(Object.keys(recipes))("is not there in %s", async (recipe) => {
    // A process computes in one precision, and recipes ask for different ones.
    await train(recipe, ["precision=f32", ...(recipes[recipe]?.task === "vlm" ? [...SMALL, ...BASIC] : [])]);
    expect(javascriptCalls()).toEqual({});
  });

  it("is not there in steps of adapters with dropout", async () => {
    const lora = { rank: 4, alpha: 8, dropout: 0.3 };
    const adapters = [`model.lora=${JSON.stringify(lora)}`, 'stages.finetune.train=["projector","lora"]'];
    await train("quickstart", ["precision=f32", ...SMALL, ...BASIC, ...adapters], "quickstart-lora");
    expect(javascriptCalls()).toEqual({});
  });

  it.each(["0", "0.7"])("is not there in an answer at temperature %s", async (temperature) => {
    const image = join(folder, "red.png");
    await writeFile(image, png([220, 30, 30]));
    const asked = ["chat", join(folder, "quickstart"), "--image", image, "--question", "what is this ?"];
    const { code, out } = await cli([...asked, "--temperature", temperature, "--max-tokens", "6"]);
    expect(code, out).toBe(0);
    expect(javascriptCalls()).toEqual({});
  });
});

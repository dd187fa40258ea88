import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { defineEncoder } from "@basic-mllm/core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { meanColour } from "./custom-parts.js";
import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

const seen: number[][] = [];
defineEncoder("mean-colour", () => meanColour({ imageSize: 12, seen }));
defineEncoder("mean-colour-of-no-size", () => meanColour({ seen: [] }));
defineEncoder("mean-colour-of-half-a-pixel", () => meanColour({ imageSize: 0.5, seen: [] }));

describe("parts that are not ours", () => {
  let folder: string;
  let recipe: string;
  let runs = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-custom-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    recipe = await writeMiniTask(folder, { evaluation: { blind: false } });
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  async function train(...sets: readonly string[]) {
    const run = join(folder, `run-${runs++}`);
    const changes = sets.flatMap((change) => ["--set", change]);
    return { run, ...(await cli(["train", recipe, "--out", run, "--no-report", ...changes])) };
  }

  it("a source of features sees pictures of the size that it names", async () => {
    const { code, out } = await train("model.vision.name=mean-colour", "model.vision.options={}");
    expect([code, out]).toEqual([0, expect.stringContaining("8 steps")]);
    expect(seen.length).toBeGreaterThan(0);
    for (const [, height, width] of seen) expect([height, width]).toEqual([12, 12]);
  });

  it("an encoder that names no size, or no whole one", async () => {
    const none = await train("model.vision.name=mean-colour-of-no-size", "model.vision.options={}");
    expect([none.code, none.out.trimEnd()]).toMatchInlineSnapshot(`
      [
        1,
        "error The vision encoder "mean-colour-of-no-size" does not say how large its pictures are: expected \`imageSize\`, a whole number of pixels above 0, got nothing. Add imageSize to what its defineEncoder returns (docs/writing-an-encoder.md). [E_CONFIG]",
      ]
    `);
    const half = await train("model.vision.name=mean-colour-of-half-a-pixel", "model.vision.options={}");
    expect([half.code, half.out]).toEqual([1, expect.stringContaining("above 0, got 0.5.")]);
  });
});

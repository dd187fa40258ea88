import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { plainSheet } from "../../../scenes/test/sheet.js";
import { cli } from "../../test/run-cli.js";

// The drawings of the artists take half a minute.
vi.mock("@basic-mllm/scenes", async (original) => ({
  ...(await original<typeof import("@basic-mllm/scenes")>()),
  loadSprites: async () => plainSheet(),
}));

describe("data build scenes", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-build-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("writes sets, pictures and a tokenizer that `data validate` accepts", async () => {
    const sizes = ["--train1", "3", "--train2", "4", "--test", "2", "--seed", "1"];
    const built = await cli(["data", "build", "scenes", "--out", folder, ...sizes, "--json"]);
    expect(built.json()).toMatchObject({ folder, sets: { stage1: { scenes: 3 }, stage2: { scenes: 4 } } });
    expect(await readdir(folder)).toEqual(expect.arrayContaining(["stage1.json", "tokenizer.json"]));
    const file = join(folder, "stage2.json");
    const checked = await cli([
      "data",
      "validate",
      file,
      "--tokenizer",
      folder,
      "--template",
      "chat",
      "--json",
    ]);
    expect(checked.code).toBe(0);
    expect(checked.json()).toMatchObject({ images: 4, problems: [], templates: [{ template: "chat" }] });
  });

  it("passes the builder's options on", async () => {
    const out = join(folder, "grid");
    const options = [
      "--variant",
      "grid",
      "--test-style",
      "openmoji",
      "--train1",
      "1",
      "--train2",
      "1",
      "--test",
      "1",
    ];
    const { json } = await cli(["data", "build", "scenes", "--out", out, ...options, "--json"]);
    expect(json()).toMatchObject({ sets: { "test-openmoji": { scenes: 1 } } });
  });
});

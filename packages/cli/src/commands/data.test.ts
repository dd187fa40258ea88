import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { plainSheet } from "../../../scenes/test/sheet.js";
import { cli } from "../../test/run-cli.js";
import { loadRecipe } from "../session/load-recipe.js";
import { openScenes } from "../session/scenes.js";
import { createTerminal } from "../terminal.js";

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

  it("writes the data of a recipe where training finds them", async () => {
    const cache = join(folder, "cache");
    vi.stubEnv("BASIC_MLLM_CACHE", cache);
    const recipe = join(folder, "own.json");
    const options = { variant: "solo", train1: 3, train2: 4, test: 2 };
    const data = { builder: { name: "scenes", options }, train: { align: "stage1" } };
    const stages = { align: { train: ["projector"], steps: 1, learningRate: 1 } };
    const model = { vision: "tiny-siglip", language: "tiny-llama" };
    await writeFile(recipe, JSON.stringify({ name: "own", model, data, stages }));
    const { code, json } = await cli(["data", "build", recipe, "--json"]);
    vi.unstubAllEnvs();
    const { folder: built } = json<{ folder: string }>();
    expect([code, dirname(built)]).toEqual([0, cache]);
    expect(await readdir(built)).toEqual(expect.arrayContaining(["stage1.json", "tokenizer.json"]));
    const training = { recipe: await loadRecipe(recipe), terminal: createTerminal({ json: true }), cache };
    expect(await openScenes(training)).toBe(built);
  });

  it("writes sets that `data preview` shows", async () => {
    const page = join(folder, "page.html");
    const file = join(folder, "stage2.json");
    const where = ["--tokenizer", folder, "--template", "chat", "--out", page];
    const { code, json } = await cli(["data", "preview", file, ...where, "-n", "3", "--json"]);
    expect([code, json()]).toEqual([0, { file: page, records: 3, size: expect.any(Number), problems: 0 }]);
    const text = await readFile(page, "utf8");
    expect(text.match(/<article/g)).toHaveLength(3);
    expect(text.match(/<img src="data:image\/webp/g)).toHaveLength(3);
  });

  it("has words for what `data validate` and `data preview` find in other files", async () => {
    const turns = (answer: string, from = "gpt") => [
      { from: "human", value: "what is it ?" },
      { from, value: answer },
    ];
    const records = [
      { id: "1", conversations: turns("a lion") },
      { id: "2", conversations: turns("a lion", "bot") },
      { id: "3", conversations: [...turns("a dog"), ...turns("")] },
      { id: "4", image: "gone.png", conversations: turns("a dog") },
    ];
    const file = join(folder, "own.jsonl");
    await writeFile(file, records.map((record) => JSON.stringify(record)).join("\n"));
    const where = ["--tokenizer", folder, "--template", "chat"];
    const { code, json } = await cli(["data", "validate", file, ...where, "--max-length", "3", "--json"]);
    const { problems, warnings } = json<{ problems: string[]; warnings: string[] }>();
    expect(code).toBe(1);
    expect(problems.map((text) => text.replaceAll(folder, "…"))).toMatchInlineSnapshot(`
      [
        "…/own.jsonl, record 1 (id "2"), conversations[1].from: expected "gpt" (human and gpt take turns), got "bot". Correct the record.",
        "1 pictures are missing, for example gone.png",
        "1 samples have fewer <image> than pictures, for example 4 (0 × <image>, images: 1)",
        "template chat: 2 samples have more than 3 tokens, for example 1 (12 tokens); 3 (20 tokens)",
        "template chat: 1 samples cannot be used: sample "4": expected 1 × <image> in its text, one for each image, got 0. Put <image> where each image belongs. [E_IMAGE_TOKENS]",
      ]
    `);
    expect(warnings[0]).toBe("1 samples have an empty answer, which is not trained, for example 3");
    const shown = await cli(["data", "preview", file, ...where, "--out", join(folder, "own.html")]);
    expect([shown.code, shown.out]).toEqual([
      0,
      expect.stringContaining(
        "warning 2 of them cannot be trained on; `basic-mllm data validate` lists all that are wrong",
      ),
    ]);
  });

  it("refuses a file without records and numbers that are none", async () => {
    const file = join(folder, "empty.jsonl");
    await writeFile(file, "\n");
    const where = ["--tokenizer", folder, "--template", "chat"];
    const validated = await cli(["data", "validate", file, ...where]);
    const previewed = await cli(["data", "preview", file, ...where, "--out", join(folder, "x.html")]);
    for (const { code, err, out } of [validated, previewed]) {
      expect(code).not.toBe(0);
      expect(err + out).toContain("expected at least one record, got none");
    }
    const wrong = await cli(["data", "preview", file, ...where, "--out", "x.html", "-n", "0"]);
    expect([wrong.code, wrong.err + wrong.out]).toEqual([
      2,
      expect.stringContaining('--number must be a whole number of at least 1, got "0"'),
    ]);
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

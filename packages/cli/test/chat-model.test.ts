// `chat` with a language model alone.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tinyWeights } from "@basic-mllm/tiny";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { cli } from "./run-cli.js";

const model = tinyWeights("language");
const asked = ["chat", model, "--template", "chat", "--question", "what is this ?", "--max-tokens", "5"];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-chat-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("chat with a model folder", () => {
  it("answers without a picture and tells how fast", async () => {
    const { code, json, err } = await cli([...asked, "--json"]);
    expect([code, json()]).toMatchObject([0, { run: model, question: "what is this ?" }]);
    expect(err).toMatch(/\(\d+ prompt tokens at [\d.]+\/s(, \d answer tokens at [\d.]+\/s)?\)/);
  });

  it("runs only what is new of the second question, with the answer that a new conversation gives to all of it", async () => {
    const talk = ["chat", model, "--template", "chat", "--max-tokens", "5", "--json"];
    const { json, err } = await cli(talk, [
      "what is this ?",
      "is this red ?",
      "/new",
      "what is this ?",
      "/quit",
    ]);
    const { turns } = json<{ turns: { answer: string }[] }>();
    expect(turns).toHaveLength(3);
    expect(turns[2]?.answer).toBe(turns[0]?.answer);
    const rows = [...err.matchAll(/\((\d+) prompt tokens/g)].map(([, count]) => Number(count));
    // The third one is a beginning of what is held: its last row is run again.
    expect(rows[1]).toBeLessThan(2 * (rows[0] ?? 0));
    expect(rows[2]).toBe(1);
  });

  it("says why it sees no picture, and that a run needs one", async () => {
    const seen = await cli([...asked, "--image", "cat.png"]);
    expect([seen.code, seen.out.trimEnd().replace(model, "MODEL")]).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm chat: MODEL is opened as a language model alone, which sees no pictures, but an image was given: cat.png. Leave it out, or talk with the folder of a run, which has the vision part as well. [E_USAGE]",
      ]
    `);
    const run = join(folder, "run");
    await mkdir(run);
    await writeFile(join(run, "recipe.json"), "{}");
    const blind = await cli(["chat", run]);
    expect([blind.code, blind.out.trimEnd().replace(run, "RUN")]).toMatchInlineSnapshot(`
      [
        2,
        "error basic-mllm chat: a run answers questions about a picture, and none was given for RUN. Add --image FILE; only language models (a folder with config.json, or a GGUF file) do without one. [E_USAGE]",
      ]
    `);
    const other = await cli(["chat", model, "--template", "chat"], ["/image cat.png"]);
    expect([other.code, other.err + other.out]).toEqual([0, expect.stringContaining("sees no pictures")]);
  });

  it("says what a folder or file lacks", async () => {
    const template = await cli(["chat", model, "--question", "hello"]);
    expect([template.code, template.out]).toEqual([2, expect.stringContaining('template "model"')]);
    const missing = await cli(["chat", join(folder, "none.gguf")]);
    expect([missing.code, missing.out]).toEqual([1, expect.stringContaining("E_WEIGHTS_MISSING")]);
    await writeFile(join(folder, "damaged.gguf"), "GGUF");
    const damaged = await cli(["chat", join(folder, "damaged.gguf")]);
    expect([damaged.code, damaged.out]).toEqual([1, expect.stringContaining("E_WEIGHTS_FORMAT")]);
  });
});

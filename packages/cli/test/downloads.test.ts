// Parts that a recipe names on the hub or by a URL, served by this machine.
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import "@tensorflow/tfjs-backend-cpu";
import { createDecoder, createVit } from "@basic-mllm/core";
import { parseHuggingFaceConfig, saveHuggingFace } from "@basic-mllm/weights";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { type HubServer, startHub } from "../../weights/test/hub-server.js";
import { LANGUAGE, VISION, WORD_COUNT, writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

async function filesOf(folder: string): Promise<Record<string, Uint8Array>> {
  const names = await readdir(folder);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
}

describe("parts of a recipe that lie elsewhere", () => {
  let folder: string;
  let recipe: string;
  let hub: HubServer;
  let web: HubServer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-downloads-"));
    recipe = await writeMiniTask(folder, { evaluation: { blind: false } });
    const language = parseHuggingFaceConfig({ ...LANGUAGE, vocab_size: WORD_COUNT }, "test");
    const vision = parseHuggingFaceConfig(VISION, "test");
    if (language.kind !== "language" || vision.kind !== "vision") throw new Error("other kinds of configs");
    const parts = [join(folder, "language"), join(folder, "vision")] as const;
    await saveHuggingFace(parts[0], {
      kind: "language",
      language: createDecoder(language.config, { seed: 1 }),
    });
    await saveHuggingFace(parts[1], { kind: "vision", vision: createVit(vision.config, { seed: 2 }) });
    hub = await startHub({ ...(await filesOf(parts[0])), ...(await filesOf(join(folder, "tokenizer"))) });
    web = await startHub(await filesOf(parts[1]));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    vi.stubEnv("HF_ENDPOINT", hub.url);
    vi.stubEnv("HF_HUB_CACHE", join(folder, "hub"));
    vi.stubEnv("HF_TOKEN", "");
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await hub.close();
    await web.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function own(changes: Readonly<Record<string, unknown>>): Promise<string> {
    const whole = JSON.parse(await readFile(recipe, "utf8"));
    const path = join(folder, "own.json");
    await writeFile(path, JSON.stringify({ ...whole, model: { ...whole.model, ...changes } }));
    return path;
  }

  it("are downloaded once, with their tokenizer, and trained", async () => {
    const path = await own({
      vision: `${web.url}/encoder/`,
      language: "hub:owner/name",
      tokenizer: undefined,
    });
    const run = join(folder, "run");
    const { code, out, err } = await cli(["train", path, "--out", run, "--no-report"]);
    expect(code, err).toBe(0);
    expect(out).toContain("download");
    expect(existsSync(join(run, "model/tokenizer.json"))).toBe(true);
    const weights = () => hub.requests.filter((line) => line.endsWith("/model.safetensors")).length;
    expect(weights()).toBe(1);
    expect((await cli(["eval", run])).code).toBe(0);
    expect(weights()).toBe(1);
  }, 60_000);

  it.each([
    [{ language: "hub:owner/../name" }, "E_NAME_UNKNOWN", "is no name of a model"],
    [{ language: "https://host.invalid/a.gguf" }, "E_CONFIG", "model.language is"],
    [{ vision: "encoder.gguf" }, "E_CONFIG", "GGUF files are read as language models only"],
    [{ language: "absent.gguf" }, "E_WEIGHTS_MISSING", "There is no GGUF file absent.gguf"],
    [{ language: "SmolLM2-135M-Instruct.Q4_1.gguf" }, "E_WEIGHTS_MISSING", "node scripts/fetch-gguf.mjs"],
    [
      { language: { name: "a.gguf", options: { storage: "q2" } } },
      "E_RECIPE_INVALID",
      "Known: storage (f32, bf16, f16, file).",
    ],
    [
      { language: { name: "tiny-llama", options: { storage: "banana" } } },
      "E_RECIPE_INVALID",
      "Known storages: f32, bf16, f16, q8_0, q4_0, q4_1, file.",
    ],
    [{ tokenizer: "absent.gguf" }, "E_WEIGHTS_MISSING", "There is no GGUF file absent.gguf"],
  ])("%j is refused with %s", async (changes, errorCode, text) => {
    const { code, out } = await cli(["check", await own(changes)]);
    expect(code).not.toBe(0);
    expect(out).toContain(text);
    expect(out).toContain(errorCode);
  });

  it("of another kind is refused", async () => {
    const { code, out } = await cli(["check", await own({ vision: "hub:owner/name" })]);
    expect(code).not.toBe(0);
    expect(out).toContain("holds a language model, expected a vision or llava model. Name another folder.");
  });
});

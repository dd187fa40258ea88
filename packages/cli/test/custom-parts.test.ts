import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  createDecoder,
  createProjector,
  createVit,
  defineEncoder,
  defineLanguageModel,
  defineProjector,
} from "@basic-mllm/core";
import { parseHuggingFaceConfig } from "@basic-mllm/weights";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { meanColour, notOurs } from "./custom-parts.js";
import { LANGUAGE, VISION, WORD_COUNT, writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

const seen: number[][] = [];
defineEncoder("mean-colour", () => meanColour({ imageSize: 12, seen }));
defineEncoder("mean-colour-of-no-size", () => meanColour({ seen: [] }));
defineEncoder("mean-colour-of-half-a-pixel", () => meanColour({ imageSize: 0.5, seen: [] }));

defineEncoder("strange-encoder", () => {
  const parsed = parseHuggingFaceConfig(VISION, "test");
  if (parsed.kind !== "vision") throw new Error("no vision config");
  return notOurs(createVit(parsed.config, { seed: 1, layer: -1 }));
});
defineLanguageModel("strange-language", ({ options }) => {
  const parsed = parseHuggingFaceConfig({ ...LANGUAGE, vocab_size: options["words"] }, "test");
  if (parsed.kind !== "language") throw new Error("no language config");
  return notOurs(createDecoder(parsed.config, { seed: 2 }));
});
defineProjector("strange-projector", ({ features, width }) =>
  notOurs(createProjector("linear", { features, width, seed: 3 })),
);

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

  /** Evaluates a run with its checkpoints, then from `model/` alone, and chats with the latter. */
  async function measureBoth(run: string) {
    const copy = `${run}-copy`;
    await cp(run, copy, { recursive: true });
    await rm(join(copy, "checkpoints"), { recursive: true });
    const [kept, saved] = [await cli(["eval", run, "--json"]), await cli(["eval", copy, "--json"])];
    expect([kept.code, saved.code], saved.err).toEqual([0, 0]);
    expect(saved.json()["weights"]).toBe("model");
    expect(saved.json()["evaluations"]).toEqual(kept.json()["evaluations"]);
    const image = join(folder, "pictures/red.png");
    const chat = await cli(["chat", copy, "--image", image, "--question", "what color is this ?"]);
    expect(chat.code).toBe(0);
    return copy;
  }

  it("a run with an encoder of somebody's that has trained opens from what it saved", async () => {
    const { run, code, out } = await train(
      "model.vision.name=strange-encoder",
      "model.vision.options={}",
      "features.standardise=false",
      'stages.finetune.train=["vision","projector","language"]',
    );
    expect([code, out.replaceAll(folder, "FOLDER")]).toEqual([
      0,
      expect.stringContaining(
        'FOLDER/run-3/model holds each part by itself, and no LLaVA folder: vision encoder "strange-encoder" is not ours. `basic-mllm eval` and `chat` open it.',
      ),
    ]);
    expect(await readdir(join(run, "model"))).toEqual(
      expect.arrayContaining(["vision.safetensors", "projector.safetensors", "language"]),
    );
    const copy = await measureBoth(run);
    await rm(join(copy, "model/vision.safetensors"));
    const lost = await cli(["eval", copy]);
    expect([lost.code, lost.out.replaceAll(folder, "FOLDER").trimEnd()]).toMatchInlineSnapshot(`
      [
        1,
        "error FOLDER/run-3-copy/model has no weights of the part "vision": expected FOLDER/run-3-copy/model/vision.safetensors. Train the run again, or restore the file. [E_WEIGHTS_MISSING]",
      ]
    `);
  });

  it("a run whose projector and language model are somebody's opens, standardised features included", async () => {
    const { run, code, out } = await train(
      "model.projector.name=strange-projector",
      "model.projectorInit=default",
      "model.language.name=strange-language",
      `model.language.options={"words":${WORD_COUNT}}`,
    );
    expect([code, out]).toEqual([
      0,
      expect.stringContaining(
        'projector "strange-projector", language model "strange-language" are not ours.',
      ),
    ]);
    expect(await readdir(join(run, "model"))).toEqual(
      expect.arrayContaining([
        "vision",
        "projector.safetensors",
        "language.safetensors",
        "statistics.safetensors",
      ]),
    );
    await measureBoth(run);
  });

  it("a run on a source of features opens, and says where the encoder's weights stay", async () => {
    const { run, out } = await train("model.vision.name=mean-colour", "model.vision.options={}");
    expect(out).toContain(
      'vision encoder "mean-colour" is not ours; the encoder\'s own weights stay with its plugin.',
    );
    await measureBoth(run);
  });

  it("a plugin that has an import entry only is found beside the recipe", async () => {
    const plugin = join(folder, "node_modules/only-import");
    await mkdir(plugin, { recursive: true });
    const entry = { name: "only-import", type: "module", exports: { ".": { import: "./entry.js" } } };
    await writeFile(join(plugin, "package.json"), JSON.stringify(entry));
    await writeFile(join(plugin, "entry.js"), "globalThis.onlyImportWasHere = true;\n");
    const found = await cli(["train", recipe, "--dry", "--set", 'plugins=["only-import"]']);
    expect([found.code, found.out]).toEqual([0, expect.stringContaining("projector")]);
    expect(globalThis).toHaveProperty("onlyImportWasHere", true);
    const lost = await cli(["train", recipe, "--dry", "--set", 'plugins=["only-imports"]']);
    const text = lost.out.replaceAll(folder, "FOLDER").replaceAll(process.cwd(), "CWD").trimEnd();
    expect([lost.code, text]).toMatchInlineSnapshot(`
      [
        1,
        "error Plugin "only-imports" could not be loaded: it is not found from FOLDER or from CWD. Install it beside the recipe, or remove it from \`plugins\`. [E_PLUGIN]",
      ]
    `);
  });
});

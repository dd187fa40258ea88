import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { defineLanguageModel, defineProjector, type LanguageModel, ParameterSet } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

describe("a run that cannot go on says why", () => {
  let folder: string;
  let recipe: string;
  let runs = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "basic-mllm-bad-"));
    vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache"));
    recipe = await writeMiniTask(folder, { evaluation: { blind: false } });
  });

  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  /** Trains with changed fields. @returns Exit code and the error's text. */
  async function train(...argv: readonly string[]): Promise<readonly [code: number, text: string]> {
    const out = argv.includes("--out") ? [] : ["--out", join(folder, `run-${runs++}`)];
    const { code, out: printed } = await cli(["train", recipe, "--no-report", ...out, ...argv]);
    const start = printed.indexOf("error ");
    return [code, start < 0 ? printed : printed.slice(start).trimEnd().replaceAll(folder, "FOLDER")];
  }

  async function set(name: string, records: readonly unknown[]): Promise<readonly string[]> {
    await writeFile(join(folder, `${name}.json`), JSON.stringify(records));
    return ["--set", `data.train.finetune.file=${name}`];
  }

  const asked = { from: "human", value: "<image>\nwhat color is this ?" };
  const good = {
    id: "good",
    image: "pictures/red.png",
    conversations: [asked, { from: "gpt", value: "red" }],
  };

  it.each([
    ["stages.finetune.losses.directoin=0.1", 'There is no loss "directoin". Did you mean "direction"?'],
    ["model.projector=mpl", 'There is no projector "mpl".'],
  ])("a name that nobody knows, %s: before anything is read", async (change, text) => {
    const unread = ["--set", "data.train.finetune.file=nowhere.json"];
    expect((await train("--set", change, ...unread))[1]).toContain(`error ${text}`);
    expect((await train(...unread))[1]).toContain("nowhere.json");
  });

  it("an infinite loss: step, group, parameter; exit code 3", async () => {
    const [code, text] = await train(
      "--set",
      "stages.finetune.learningRate=1e30",
      "--set",
      "stages.finetune.maxNorm=0",
    );
    expect(code).toBe(3);
    expect(text).toMatch(
      /Training stopped: step \d of stage "finetune" gave NaN or infinite numbers\. Bad losses: "language"/,
    );
    expect(text).toMatch(/the first bad gradient is that of "\S+" of group "\w+"/);
    expect(text).toContain("The last good checkpoint is kept: checkpoints/step-00000002.");
  });

  it("a missing picture: which one; or it is left out", async () => {
    const missing = await set("missing", [good, { ...good, id: "lost", image: "pictures/lost.png" }]);
    expect(await train(...missing)).toMatchInlineSnapshot(`
      [
        1,
        "error sample "lost" of FOLDER/missing.json: there is no image "FOLDER/pictures/lost.png"; 1 of 2 samples miss theirs. Correct the image folder, or set onImageError to "skip-and-count". [E_IMAGE]",
      ]
    `);
    const [code, text] = await train(...missing, "--set", "data.onImageError=skip-and-count");
    expect([code, text]).toEqual([
      0,
      expect.stringContaining(
        'warning set "finetune": 1 of 2 samples are left out: 1 picture is missing (pictures/lost.png)',
      ),
    ]);
  });

  it("a broken picture: which one; or it is left out with a warning", async () => {
    await writeFile(join(folder, "pictures/broken.png"), "no picture");
    const broken = await set("broken", [good, { ...good, id: "bad", image: "pictures/broken.png" }]);
    expect(await train(...broken)).toMatchInlineSnapshot(`
      [
        1,
        "error image "pictures/broken.png": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got 10 bytes that begin with 6e 6f 20 70 69 63 74 75. Replace the file, or set onImageError to "skip-and-count". [E_IMAGE]",
      ]
    `);
    const [code, text] = await train(...broken, "--set", "data.onImageError=skip-and-count");
    const leftOut =
      'warning set "finetune": 1 of 2 samples are left out: 1 picture is broken (pictures/broken.png)';
    expect([code, text]).toEqual([0, expect.stringContaining(leftOut)]);
    // The first training set is the one that standardisation measures.
    const first = ["--set", "data.train.align.file=broken", "--set", "data.onImageError=skip-and-count"];
    expect((await train(...first))[0]).toBe(0);
  });

  it("a broken picture is left out as well where pixels are read in every step", async () => {
    await writeFile(join(folder, "pictures/broken.png"), "no picture");
    const gone = [
      good,
      { ...good, id: "bad", image: "pictures/broken.png" },
      { ...good, id: "lost", image: "no.png" },
    ];
    const both = [...(await set("gone", gone)), "--set", "features.standardise=false"];
    const skip = ["--set", "data.onImageError=skip-and-count"];
    const leftOut =
      'set "finetune": 2 of 3 samples are left out: 1 picture is missing (no.png), 1 picture is broken (pictures/broken.png)';
    for (const pixels of [
      ["--set", "features.cache=false"],
      ["--set", 'stages.align.train=["vision","projector"]'],
    ]) {
      expect(await train(...both, ...pixels, ...skip)).toEqual([0, expect.stringContaining(leftOut)]);
    }
    const [code, text] = await train(
      ...both.slice(0, 2),
      "--set",
      "features.standardise=false",
      "--set",
      "features.cache=false",
    );
    expect([code, text]).toEqual([1, expect.stringContaining("E_IMAGE")]);
  });

  it("pictures that are all broken", async () => {
    await writeFile(join(folder, "pictures/broken.png"), "no picture");
    const none = await set("none", [{ ...good, image: "pictures/broken.png" }]);
    expect(await train(...none, "--set", "data.onImageError=skip-and-count")).toMatchInlineSnapshot(`
      [
        1,
        "error set "finetune": expected at least one sample whose pictures are whole, got none of 1: 1 picture is broken (pictures/broken.png). Replace the pictures. [E_DATA_EMPTY]",
      ]
    `);
  });

  it("a data builder that does not exist: the nearest one", async () => {
    expect(await train("--set", "data.builder=scene")).toMatchInlineSnapshot(`
      [
        2,
        "error There is no data builder "scene" for a multimodal recipe. Did you mean "scenes"? Known: scenes. Name it in data.builder, or leave data.builder out where the data is there already. [E_NAME_UNKNOWN]",
      ]
    `);
  });

  it("relative paths that are written for another folder: where they were looked for", async () => {
    const place = (text: string): string => text.replaceAll(process.cwd(), "HERE");
    const [, tokenizer] = await train("--set", "model.tokenizer=nowhere");
    expect(place(tokenizer)).toBe(
      "error There is no tokenizer for nowhere. Name a folder with tokenizer.json in model.tokenizer. " +
        "Relative paths of a recipe count from the current folder (here HERE/nowhere), not from that of the recipe: " +
        "run the command in the folder that they are written for, or make them absolute. [E_TOKENIZER]",
    );
    const [, data] = await train("--set", "data.folder=nowhere");
    expect(place(data)).toMatch(
      /^error data set nowhere\/\w+: expected a file or a folder, and it cannot be read\. Check the path: it counts from the current folder \(here HERE\/nowhere\/\w+\), not from that of a recipe\. \[E_DATA_FORMAT\]$/,
    );
  });

  it("an empty data set", async () => {
    expect(await train(...(await set("nothing", [])))).toMatchInlineSnapshot(`
      [
        1,
        "error FOLDER/nothing.json: expected at least one record, got none. Give a JSON array of {"id", "image", "conversations"}, or one such record a line. [E_DATA_EMPTY]",
      ]
    `);
  });

  it("answers that are all masked: which template, and why", async () => {
    const silent = { ...good, conversations: [asked, { from: "gpt", value: " " }] };
    expect(await train(...(await set("silent", [silent])))).toMatchInlineSnapshot(`
      [
        1,
        "error sample "good": template "chat" trains answers, and all its answers are empty. Remove the sample, correct its answers, or choose another template. [E_LABELS_MASKED]",
      ]
    `);
  });

  it("a sample longer than the row budget", async () => {
    expect(await train("--set", "stages.finetune.rowBudget=10")).toMatchInlineSnapshot(`
      [
        1,
        "error sample "blue": expected at most 10 rows (the row budget), got 16. Shorten or remove the sample, or raise rowBudget. [E_ROW_BUDGET]",
      ]
    `);
  });

  it("another number of images than of places for them", async () => {
    const two = { ...good, conversations: [{ ...asked, value: "<image> <image> ?" }, good.conversations[1]] };
    expect(await train(...(await set("two", [two])))).toMatchInlineSnapshot(`
      [
        1,
        "error sample "good": expected 1 × <image> in its text, one for each image, got 2. Put <image> where each image belongs. [E_IMAGE_TOKENS]",
      ]
    `);
  });

  it("a damaged checkpoint: the previous one is used only when the user says so", async () => {
    const out = ["--out", join(folder, "damaged")];
    expect((await train(...out, "--set", "stages.finetune.checkpointEvery=2"))[0]).toBe(0);
    const checkpoints = join(folder, "damaged/checkpoints");
    const last = join(checkpoints, (await readdir(checkpoints)).sort().at(-1) ?? "", "state.safetensors");
    const bytes = await readFile(last);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(last, bytes);
    const same = [...out, "--set", "stages.finetune.checkpointEvery=2", "--resume"];
    expect(await train(...same)).toMatchInlineSnapshot(`
      [
        1,
        "error Checkpoint checkpoints/step-00000008 is damaged: the SHA-256 of state.safetensors differs. The one before it is checkpoints/step-00000006: to continue from there, resume with "previous" (--resume --previous). [E_CHECKPOINT_CORRUPT]",
      ]
    `);
    expect((await train(...same, "--previous"))[0]).toBe(0);
  });

  it("a second backend in one process", async () => {
    expect(await train("--backend", "webgpu")).toMatchInlineSnapshot(`
      [
        1,
        "error startBackend: asked for "webgpu", but "cpu" runs in this process. A process has one backend: start another process for "webgpu". [E_BACKEND_CONFLICT]",
      ]
    `);
  });

  it("ablate goes on after a variant whose loss becomes infinite, and says so in the table", async () => {
    const out = join(folder, "ablation");
    const weights = ["--set", "stages.finetune.learningRate=1e30", "--set", "stages.finetune.maxNorm=0"];
    const command = ["ablate", recipe, "--losses", "none,das", "--seeds", "0", "--steps", "3", "--out", out];
    const { code, json } = await cli([...command, ...weights, "--json"]);
    expect(code).toBe(0);
    const { runs: results } = json<{ runs: { outcome: string }[] }>();
    expect(results.map(({ outcome }) => outcome)).toEqual(["not-finite", "not-finite"]);
    expect(await readFile(join(out, "table.md"), "utf8")).toContain(
      "Loss became NaN or infinite: none (seed 0), das (seed 0).",
    );
  });

  it("match-vocabulary without pictures, or with a projector that is not ours", async () => {
    await set("texts", [
      {
        id: "text",
        conversations: [
          { ...asked, value: "what ?" },
          { from: "gpt", value: "red" },
        ],
      },
    ]);
    const [, noPictures] = await train("--set", "data.train.align.file=texts");
    expect(noPictures).toMatchInlineSnapshot(
      `"error model.projectorInit is "match-vocabulary", but the first 64 samples of the first stage have no pictures. Use "default", or begin with data that has pictures. [E_CONFIG]"`,
    );
    defineProjector("bare", ({ width }) => ({
      parameters: new ParameterSet(),
      project: (features) => ({ ...features, rows: tf.zeros([features.rows.shape[0], width]) }),
      gridAfter: (grid, rows) => ({ rows, grid }),
    }));
    const [, foreign] = await train("--set", "model.projector=bare");
    expect(foreign).toMatchInlineSnapshot(
      `"error model.projectorInit is "match-vocabulary", which scales a projector of ours, but "bare" is not one. Use "default", or a projector such as mlp2x_gelu. [E_CONFIG]"`,
    );
  });

  it("recompute with a language model that cannot", async () => {
    defineLanguageModel("foreign", () => ({ depth: 1, width: 8, vocabularySize: 9 }) as LanguageModel);
    const [, text] = await train("--set", "model.language=foreign", "--set", "model.recompute=true");
    expect(text).toMatchInlineSnapshot(
      `"error model.recompute is true, but the language model "foreign" is not a decoder of ours, which could do that. Remove model.recompute, or use a Hugging Face folder. [E_CONFIG]"`,
    );
    expect((await train("--set", "model.recompute=true"))[0]).toBe(0);
  });
});

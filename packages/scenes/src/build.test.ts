import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import {
  createTokenizer,
  decodeImage,
  encodeSample,
  findTemplate,
  parseSamples,
  readDataset,
  readTokenizer,
} from "@basic-mllm/data";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { plainSheet } from "../test/sheet.js";
import { buildScenes } from "./build.js";
import { planScenes, type SceneManifest } from "./plan.js";
import { makeSample } from "./records.js";
import { buildTokenizer, buildVocabulary, SPECIAL_TOKENS } from "./vocabulary.js";

const sheet = plainSheet();
const options = { train1: 3, train2: 4, test: 2, seed: 5 };
let folder = "";
let manifest: SceneManifest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-test-"));
  manifest = await buildScenes(folder, { sheet, options });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileHash(name: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(join(folder, name)))
    .digest("hex");
}

describe("buildScenes", () => {
  it("stops between two groups of pictures when it is aborted, and draws all of them the next time", async () => {
    const other = await mkdtemp(join(tmpdir(), "basic-mllm-test-"));
    try {
      await buildScenes(other, { sheet, options: { ...options, seed: 6 } });
      const controller = new AbortController();
      const drawn: number[] = [];
      const onProgress = (done: number): void => {
        drawn.push(done);
        controller.abort();
      };
      await expect(
        buildScenes(other, { sheet, options, onProgress, signal: controller.signal }),
      ).rejects.toThrow("Stopped after 3 of 15 pictures. Start again to draw them all. [E_INTERRUPTED]");
      expect(drawn).toEqual([3]);
      // Pictures of both options lie there now: neither manifest may vouch for them.
      await expect(readFile(join(other, "manifest.json"))).rejects.toThrow("ENOENT");
      expect(await buildScenes(other, { sheet, options })).toEqual(manifest);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  it("writes sets that read as anybody's data", async () => {
    const tokenizer = await readTokenizer(folder);
    for (const [name, { records }] of Object.entries(manifest.sets)) {
      const { samples, skipped } = await readDataset(join(folder, `${name}.json`));
      expect([samples.length, skipped]).toEqual([records, []]);
      const template = findTemplate(name === "stage1" ? "plain" : "chat");
      for (const sample of samples) {
        expect(encodeSample(template, tokenizer, sample).ids).not.toContain(tokenizer.special.unk);
      }
    }
    expect(Object.keys(manifest.sets)).toEqual([
      "stage1",
      "stage2",
      "validation",
      "test-noto",
      "test-train-artists",
      "held-out",
    ]);
  });

  it("writes the pixels of the plan", async () => {
    const { world, splits } = planScenes(sheet, options);
    const align = splits[0];
    if (align === undefined) throw new Error("no split");
    const { image, pixels } = makeSample(world, align, 2);
    const decoded = await decodeImage(await readFile(join(folder, image)), image);
    expect([decoded.width, decoded.height]).toEqual([64, 64]);
    expect(decoded.pixels).toEqual(pixels);
  });

  it("never shows the test artist or a held-out concept in training", async () => {
    for (const name of ["stage1", "stage2"]) {
      for (const { metadata } of parseSamples(await readFile(join(folder, `${name}.json`), "utf8"), name)) {
        for (const object of metadata["objects"] as readonly { name: string; style: string }[]) {
          expect(object.style).not.toBe("noto");
          expect(manifest.heldOut).not.toContain(object.name);
        }
      }
    }
    const unseen = parseSamples(await readFile(join(folder, "test-noto.json"), "utf8"), "unseen");
    expect(unseen.every(({ metadata }) => JSON.stringify(metadata["objects"]).includes("noto"))).toBe(true);
    const heldOut = parseSamples(await readFile(join(folder, "held-out.json"), "utf8"), "held out");
    const shown = heldOut.flatMap(({ metadata }) => metadata["objects"] as readonly { name: string }[]);
    expect(shown.every(({ name }) => manifest.heldOut.includes(name))).toBe(true);
  });

  it("asks every type of question of each test scene", async () => {
    const records = parseSamples(await readFile(join(folder, "validation.json"), "utf8"), "validation");
    const asked = ["name", "kind", "where", "color", "yes", "no random", "no adversarial"];
    const types = records.map(({ metadata: { question, negative } }) =>
      negative === undefined ? question : `${question} ${negative}`,
    );
    expect(types).toEqual([...asked, ...asked]);
  });

  it("keeps a folder of the same options, and gives the same files again", async () => {
    const before = await stat(join(folder, "stage1.json"));
    expect(await buildScenes(folder, { sheet, options })).toEqual(manifest);
    expect((await stat(join(folder, "stage1.json"))).mtimeMs).toBe(before.mtimeMs);
    const hashes = await Promise.all(
      ["stage1.json", "tokenizer.json", "images/stage2/000/000003.png"].map(fileHash),
    );
    await writeFile(join(folder, "manifest.json"), "{}");
    expect((await buildScenes(folder, { sheet, options })).sets).toEqual(manifest.sets);
    expect(
      await Promise.all(["stage1.json", "tokenizer.json", "images/stage2/000/000003.png"].map(fileHash)),
    ).toEqual(hashes);
  });

  it("makes a smaller build the beginning of a larger one", () => {
    const small = planScenes(sheet, { ...options, train1: 2 });
    const large = planScenes(sheet, { ...options, train1: 9 });
    const [a, b] = [small.splits[0], large.splits[0]];
    if (a === undefined || b === undefined) throw new Error("no split");
    expect(makeSample(small.world, a, 1)).toEqual(makeSample(large.world, b, 1));
  });

  it("asks more of scenes with several objects", () => {
    const { world, splits } = planScenes(sheet, { ...options, variant: "grid" });
    const [, finetune, validation] = splits;
    if (finetune === undefined || validation === undefined) throw new Error("no split");
    expect(makeSample(world, finetune, 0).records[0]?.conversations).toHaveLength(8);
    expect(makeSample(world, validation, 0).records.map(({ metadata }) => metadata.question)).toContain(
      "count",
    );
  });

  it("refuses a sheet with too few concepts", () => {
    const few = { ...sheet, concepts: sheet.concepts.slice(0, 3) };
    expect(() => planScenes(few)).toThrow(BasicError);
    expect(() => planScenes(few)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: scenes: expected at least 2 seen and 2 held-out concepts, got 3 and 0. Use more sprites or another heldOut. [E_CONFIG]]`,
    );
  });

  it("can leave the validation artist out of training", () => {
    const { manifest: plan } = planScenes(sheet, { ...options, excludeValidationStyle: true });
    expect(plan.trainStyles).toEqual(["fluent-emoji-flat", "fluent-emoji", "emojione", "openmoji"]);
  });
});

describe("buildTokenizer", () => {
  it("gives every word of the task one token, and the special tokens the first ids", () => {
    const vocabulary = buildVocabulary(sheet.concepts);
    const files = buildTokenizer(vocabulary);
    const tokenizer = createTokenizer(files["tokenizer.json"], files["tokenizer_config.json"]);
    expect(vocabulary.slice(0, 5)).toEqual(SPECIAL_TOKENS);
    expect(new Set(vocabulary).size).toBe(tokenizer.size);
    const text = "the topleft is post office, the background is red.";
    expect(tokenizer.encode(text)).toHaveLength(11);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });
});

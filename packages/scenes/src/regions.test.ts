import { createHash } from "node:crypto";
import { createTextData, createTokenizer, squareProcessor } from "@basic-mllm/data";
import { describe, expect, it } from "vitest";
import { plainSheet } from "../test/sheet.js";
import { createCorpus } from "./corpus.js";
import { buildRegionTexts, createRegionData, regionTargets, scenePixels } from "./regions.js";
import { BACKGROUNDS, EMPTY } from "./scene.js";
import { buildTokenizer, buildVocabulary } from "./vocabulary.js";

const sheet = plainSheet();
const processor = squareProcessor(64);
const position = { stage: "contrast", step: 3, steps: 9 };

describe("buildRegionTexts", () => {
  it("weighs the name 3, tags and kind 1, and has a text for each empty background", () => {
    const { words, texts, weights } = buildRegionTexts(sheet.concepts);
    expect(texts).toBe(sheet.concepts.length + BACKGROUNDS.length);
    const weightOf = (text: number, word: string) => weights[text * words.length + words.indexOf(word)];
    // "wild lion" is a tag of the lion, so its name weighs one more.
    expect(["lion", "wild", "animal", "red"].map((word) => weightOf(0, word))).toEqual([4, 1, 1, 0]);
    expect(["red", "nothing"].map((word) => weightOf(sheet.concepts.length + 2, word))).toEqual([3, 1]);
  });
});

describe("regionTargets", () => {
  it("points at the concept of a quadrant, or at the colour of an empty one", () => {
    const scene = { variant: "grid", cells: [4, EMPTY, EMPTY, 7], background: 2 } as const;
    expect([...regionTargets([scene], 21)]).toEqual([4, 23, 23, 7]);
  });
});

describe("createRegionData", () => {
  const data = createRegionData({ sheet, styles: ["twemoji", "openmoji"], seed: 1, processor });

  it("gives the same batch for the same step, and another for the next", async () => {
    const first = await data.batch(Int32Array.of(0, 1), position);
    expect(await data.batch(Int32Array.of(0, 1), position)).toEqual(first);
    const next = await data.batch(Int32Array.of(0, 1), { ...position, step: 4 });
    expect(next.pixels.pixels).not.toEqual(first.pixels.pixels);
    expect(first.pixels.shape).toEqual([2, 64, 64, 3]);
    expect(first.targets).toHaveLength(8);
  });

  it("draws the same bytes as the shipped encoder was trained on", async () => {
    const { pixels } = await data.batch(Int32Array.of(0, 1), position);
    expect(createHash("sha256").update(pixels.pixels).digest("hex").slice(0, 16)).toBe("89ad90764f8cff6c");
  });

  it("draws one thing where the recipe says so", async () => {
    const solo = createRegionData({
      sheet,
      styles: ["noto"],
      seed: 1,
      processor,
      variant: "solo",
      jitter: 0,
    });
    const { targets } = await solo.batch(Int32Array.of(0), position);
    expect([...targets].filter((target) => target < sheet.concepts.length)).toHaveLength(1);
  });

  it("leaves out some of the lighter words and never the name", async () => {
    const full = buildRegionTexts(sheet.concepts).weights;
    const { bank } = await data.batch(Int32Array.of(0), position);
    const dropped = full.filter((weight, i) => bank[i] !== weight);
    expect(dropped.length).toBeGreaterThan(0);
    expect(dropped.every((weight) => weight < 3)).toBe(true);
  });
});

describe("scenePixels", () => {
  it("draws the same scenes with and without variation of colours", () => {
    const common = { sheet, styles: ["noto"] as const, seed: 0, stream: ["a", 1], count: 1 };
    const plain = scenePixels(common);
    const changes = [0.1, 0.2, 0.4].map((jitter) => {
      const varied = scenePixels({ ...common, jitter });
      expect(varied.scenes).toEqual(plain.scenes);
      return varied.pixels.reduce((sum, value, i) => sum + Math.abs(value - (plain.pixels[i] ?? 0)), 0);
    });
    expect(changes[0]).toBeGreaterThan(0);
    expect(changes).toEqual(changes.toSorted((a, b) => a - b));
    expect(scenePixels({ ...common, jitter: 0 }).pixels).toEqual(plain.pixels);
  });
});

describe("createCorpus", () => {
  const files = buildTokenizer(buildVocabulary(sheet.concepts));
  const tokenizer = createTokenizer(files["tokenizer.json"], files["tokenizer_config.json"]);
  const corpus = createCorpus({ concepts: sheet.concepts, tokenizer, seed: 3 });

  it("weighs answers 1, the text before them 0.1, definitions 0.3, and knows every word", () => {
    const weights = new Set<string>();
    for (let i = 0; i < 60; i++) {
      const document = corpus(i);
      expect(document.ids).not.toContain(tokenizer.special.unk);
      expect([document.ids[0], document.ids.at(-1)]).toEqual([tokenizer.special.bos, tokenizer.special.eos]);
      for (const weight of document.weights) weights.add(weight.toFixed(1));
    }
    expect([...weights].toSorted()).toEqual(["0.0", "0.1", "0.3", "1.0"]);
  });

  it("packs for training, each document by its number alone", async () => {
    const data = createTextData({ size: 100, document: corpus });
    const { packed } = await data.batch(Int32Array.of(7, 3), position);
    expect(packed.offsets[1]).toBe(corpus(7).ids.length);
    expect(packed.labelWeights).toBeDefined();
  });
});

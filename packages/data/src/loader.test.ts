import { describe, expect, it } from "vitest";

import { wordTokenizer } from "../test/word-tokenizer.js";
import { createTextData, createVlmData } from "./loader.js";
import type { Sample } from "./samples.js";
import { findTemplate } from "./templates.js";
import type { VisualStore } from "./visual-store.js";

const tokenizer = wordTokenizer("user : assistant what is it ? lion dog red");
const position = { stage: "align", step: 0, steps: 1 };

const store: VisualStore = {
  shape: () => ({ rows: 4, grid: [2, 2] }),
  read: async (images) => ({
    values: Float32Array.from({ length: images.length * 4 }, (_, i) => i),
    width: 1,
    offsets: Int32Array.from({ length: images.length + 1 }, (_, i) => i * 4),
    grids: images.map(() => [2, 2] as const),
  }),
};

function sample(id: string, answer: string, images: readonly string[]): Sample {
  const shown = images.map(() => "<image>\n").join("");
  return {
    id,
    images,
    conversations: [
      { from: "human", value: `${shown}what is it?` },
      { from: "gpt", value: answer },
    ],
    metadata: { regions: { grid: [2, 1], words: [["lion"], ["red"]] } },
  };
}

const samples = [sample("a", "lion", ["a.png"]), sample("b", "dog", []), sample("c", "dog", ["c.png"])];
const options = { samples, template: findTemplate("chat"), tokenizer, store };

describe("createVlmData", () => {
  it("builds a batch from the indices alone", async () => {
    const data = createVlmData(options);
    const first = await data.batch(Int32Array.of(2, 0), position);
    const second = await createVlmData(options).batch(Int32Array.of(2, 0), { ...position, step: 7 });
    expect(first).toEqual(second);
    expect(data.size).toBe(3);
    expect(first.sampleIds).toEqual(["c", "a"]);
    expect(first.packed.images.map(({ length }) => length)).toEqual([4, 4]);
    expect(first.visual).toMatchObject({
      width: 1,
      grids: [
        [2, 2],
        [2, 2],
      ],
    });
  });

  it("tells the rows of each sample, and which show images", async () => {
    const data = createVlmData(options);
    const { rows, visual, id } = data.sizes?.() ?? { rows: [], visual: [] };
    expect([0, 1, 2].map((index) => id?.(index))).toEqual(["a", "b", "c"]);
    expect(Array.from(rows)).toEqual([11 + 4, 11, 11 + 4]);
    expect(Array.from(visual)).toEqual([1, 0, 1]);
    expect(data.sizes?.().rows).toBe(rows);
    const { packed } = await data.batch(Int32Array.of(0, 1, 2), position);
    expect(packed.ids.length).toBe(15 + 11 + 15);
  });

  it("has no visual input where no sample has an image", async () => {
    const { visual, packed } = await createVlmData(options).batch(Int32Array.of(1), position);
    expect([visual, packed.images.length]).toEqual([null, 0]);
  });

  it("leaves room for what the projector makes of an image", async () => {
    const pooled = createVlmData({ ...options, gridAfter: () => ({ rows: 1, grid: [1, 1] }) });
    const { packed } = await pooled.batch(Int32Array.of(0), position);
    expect(packed.images).toEqual([{ sample: 0, start: 1, length: 1 }]);
  });

  it("carries the words of the texts and of what is under each patch", async () => {
    const data = createVlmData({ ...options, templateWords: new Set(["what"]) });
    const { words } = await data.batch(Int32Array.of(2), position);
    expect(words?.samples).toEqual([new Set(["dog", "lion", "red"])]);
    expect(words?.rows).toEqual([["lion"], ["lion"], ["red"], ["red"]].map((list) => new Set(list)));
  });
});

describe("words of a batch", () => {
  it.each([
    { grid: [2, 1], words: ["lion", 3] },
    { grid: [2, 1], words: [["lion"]] },
    { grid: 2, words: [] },
  ])("leave out the patches where metadata.regions are none: %j", async (regions) => {
    const wrong = { ...sample("d", "dog", ["d.png"]), metadata: { regions } };
    const data = createVlmData({ ...options, samples: [wrong], templateWords: new Set(["what"]) });
    const { words } = await data.batch(Int32Array.of(0), position);
    expect(words).toEqual({ samples: [new Set(["dog"])] });
  });
});

describe("createTextData", () => {
  it("packs documents with their weights", async () => {
    const document = (index: number) => ({
      id: `${index}`,
      ids: Int32Array.of(1, 5 + index, 2),
      weights: Float32Array.of(0, 0.1, 1),
      images: [],
    });
    const { packed, visual } = await createTextData({ size: 9, document }).batch(
      Int32Array.of(0, 3),
      position,
    );
    expect(visual).toBeNull();
    expect([...packed.labels]).toEqual([5, 2, -100, 8, 2, -100]);
    expect([...(packed.labelWeights ?? [])].map((weight) => weight.toFixed(1))).toEqual([
      "0.1",
      "1.0",
      "0.0",
      "0.1",
      "1.0",
      "0.0",
    ]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { packSamples, unpackRows } from "./packing.js";
import { IMAGE_SLOT, type TokenSample } from "./segments.js";

function sampleOf(ids: readonly number[], weights: readonly number[], id = "a"): TokenSample {
  return { id, ids: Int32Array.from(ids), weights: Float32Array.from(weights), images: [] };
}

describe("packSamples", () => {
  const first = sampleOf([1, IMAGE_SLOT, 7, 8, 2], [0, 0, 0, 1, 1]);
  const second = sampleOf([1, 9], [0, 1], "b");

  it("lays samples one after the other and shifts the labels by one row", () => {
    const packed = packSamples([first, second], [[3], []]);
    expect([...packed.ids]).toEqual([1, -1, -2, -3, 7, 8, 2, 1, 9]);
    expect([...packed.offsets]).toEqual([0, 7, 9]);
    expect([...packed.positions]).toEqual([0, 1, 2, 3, 4, 5, 6, 0, 1]);
    expect([...packed.labels]).toEqual([-100, -100, -100, -100, 8, 2, -100, 9, -100]);
    expect([...packed.countsAsText]).toEqual([1, 0, 0, 0, 1, 1, 1, 1, 1]);
    expect(packed.images).toEqual([{ sample: 0, start: 1, length: 3 }]);
    expect(packed.labelWeights).toBeUndefined();
  });

  it("trains the last row of an image on the first token of a caption", () => {
    const caption = sampleOf([1, IMAGE_SLOT, 7], [0, 0, 1]);
    expect([...packSamples([caption], [[2]]).labels]).toEqual([-100, -100, 7, -100]);
  });

  it("keeps weights of labels that are not all 1", () => {
    const weighted = sampleOf([1, 7, 8], [0, 0.5, 1]);
    expect([...(packSamples([weighted], [[]]).labelWeights ?? [])]).toEqual([0.5, 1, 0]);
  });

  it("numbers the visual rows of all samples in order of appearance", () => {
    const packed = packSamples([first, first], [[1], [2]]);
    expect([...packed.ids].filter((id) => id < 0)).toEqual([-1, -2, -3]);
    expect(packed.images).toEqual([
      { sample: 0, start: 1, length: 1 },
      { sample: 1, start: 6, length: 2 },
    ]);
  });

  it("fills up with a dummy sample that has no label, no text and no image", () => {
    const packed = packSamples([second], [[]], { rowMultiple: 8, padId: 5 });
    expect([...packed.ids]).toEqual([1, 9, 5, 5, 5, 5, 5, 5]);
    expect([...packed.offsets]).toEqual([0, 2, 8]);
    expect([...packed.labels].filter((label) => label !== -100)).toEqual([9]);
    expect([...packed.countsAsText]).toEqual([1, 1, 0, 0, 0, 0, 0, 0]);
    expect(packSamples([second], [[]], { rowMultiple: 2 }).offsets).toHaveLength(2);
  });

  it("gives the samples back when unpacked", () => {
    const token = fc.oneof(
      { weight: 1, arbitrary: fc.constant([IMAGE_SLOT, 0] as const) },
      { weight: 5, arbitrary: fc.tuple(fc.nat(99), fc.constantFrom(0, 0.5, 1)) },
    );
    const arbitrary = fc
      .array(token, { minLength: 1, maxLength: 12 })
      .map((tokens) => [[1, 0] as const, ...tokens, [2, 1] as const])
      .chain((tokens) => {
        const slots = tokens.filter(([id]) => id === IMAGE_SLOT).length;
        const rows = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: slots, maxLength: slots });
        return rows.map((imageRows) => ({ tokens, imageRows }));
      });
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 5 }), (list) => {
        const samples = list.map(({ tokens }) =>
          sampleOf(
            tokens.map(([id]) => id),
            tokens.map(([, weight]) => weight),
          ),
        );
        const imageRows = list.map((item) => item.imageRows);
        const unpacked = unpackRows(packSamples(samples, imageRows));
        expect(unpacked).toEqual(
          samples.map(({ ids, weights }, i) => ({ ids, weights, imageRows: imageRows[i] })),
        );
      }),
    );
  });

  it("names the sample that is longer than the row budget", async () => {
    expect(
      await rejection(() => packSamples([second, first], [[], [576]], { rowBudget: 512 })),
    ).toMatchInlineSnapshot(
      `"sample "a": expected at most 512 rows (the row budget), got 580. Shorten or remove the sample, or raise rowBudget. [E_ROW_BUDGET]"`,
    );
  });

  it("refuses a batch that is longer than the row budget", async () => {
    expect(
      await rejection(() => packSamples([second, second, second], [[], [], []], { rowBudget: 5 })),
    ).toMatchInlineSnapshot(
      `"pack: expected at most 5 rows (the row budget), got 6 from 3 samples. Use a smaller batchSize with more accumulate, raise rowBudget, or set packing to "rows". [E_ROW_BUDGET]"`,
    );
  });

  it("refuses another number of images than of placeholders", async () => {
    expect(await rejection(() => packSamples([first], [[]]))).toMatchInlineSnapshot(
      `"sample "a": expected one image for each of the 1 <image> in its text, got 0. Give an image for each placeholder, or remove what is too many. [E_IMAGE_TOKENS]"`,
    );
  });

  it("refuses a batch without labels unless it is a prompt", async () => {
    const prompt = sampleOf([1, 7], [0, 0]);
    expect(await rejection(() => packSamples([prompt], [[]]))).toMatchInlineSnapshot(
      `"pack: none of the 2 rows of this batch has a label, so there is nothing to train. Check the template and the answers of the samples. [E_LABELS_MASKED]"`,
    );
    expect(packSamples([prompt], [[]], { requireLabels: false }).labels).toHaveLength(2);
  });
});

import { NEWLINE_ROW } from "@basic-mllm/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { arrangementOf, countRowsAfter, type GridAfter, rowsAfter } from "./picture-rows.js";
import { defaultPinpoints } from "./processor-types.js";
import { tilesOf } from "./tiles.js";

const asTheyAre: GridAfter = (grid, rows) => ({ grid, rows });
const halved: GridAfter = (_, rows) => ({ grid: [1, 1], rows: rows / 4 });
const tiles = { grid: [1, 2], original: { height: 4, width: 8 } } as const;
const cut = { rows: 4, grid: [2, 2], tiles } as const;

describe("rowsAfter", () => {
  it("is the projector's for a picture of one image", () => {
    expect(rowsAfter({ rows: 4, grid: [2, 2] }, halved)).toEqual({ rows: 1, grid: [1, 1] });
  });

  it("is the whole picture and the lines of its tiles", () => {
    const rows = rowsAfter(cut, asTheyAre);
    expect(rows).toMatchObject({ rows: 4 + 2 * 5, grid: null, cut: { projected: 12 } });
    expect(rowsAfter(cut, halved)).toMatchObject({ rows: 1 + 3, cut: { projected: 3 } });
  });

  it("needs a square grid after the projector", async () => {
    const resampled: GridAfter = () => ({ rows: 8, grid: null });
    expect(await rejection(() => rowsAfter(cut, resampled))).toMatchInlineSnapshot(
      `"Pictures are cut into tiles (anyres), whose rows must be a square grid after the projector, got 8 rows without a grid. Use features without a class token and a projector that keeps the grid, or imageAspectRatio "pad". [E_CONFIG]"`,
    );
    const wide: GridAfter = () => ({ rows: 8, grid: [2, 4] });
    expect(await rejection(() => rowsAfter(cut, wide))).toContain("got 8 rows of 2 x 4.");
  });
});

describe("countRowsAfter", () => {
  it("is the number of rows, for any size of a picture", () => {
    const size = fc.record({
      height: fc.integer({ min: 1, max: 3000 }),
      width: fc.integer({ min: 1, max: 3000 }),
    });
    const settings = { pinpoints: defaultPinpoints(8), size: 8 };
    fc.assert(
      fc.property(size, (original) => {
        const shape = { rows: 16, grid: [4, 4], tiles: tilesOf(original, settings) } as const;
        return countRowsAfter(shape, asTheyAre) === rowsAfter(shape, asTheyAre).rows;
      }),
    );
    expect(countRowsAfter({ rows: 4, grid: [2, 2] }, halved)).toBe(1);
  });
});

describe("arrangementOf", () => {
  it("numbers the projected rows of all pictures of a batch", () => {
    const pictures = [cut, cut].map((shape) => rowsAfter(shape, halved));
    const found = arrangementOf(pictures);
    expect([...(found?.order ?? [])]).toEqual([0, 1, 2, NEWLINE_ROW, 3, 4, 5, NEWLINE_ROW]);
    expect([...(found?.offsets ?? [])]).toEqual([0, 4, 8]);
  });

  it("is null where no picture is cut", () => {
    expect(arrangementOf([{ rows: 4, grid: [2, 2] }])).toBeNull();
    expect(arrangementOf([])).toBeNull();
  });
});

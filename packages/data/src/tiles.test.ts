import { NEWLINE_ROW } from "@basic-mllm/core";
import { describe, expect, it } from "vitest";

import { rejection } from "../test/rejection.js";
import { squareProcessor } from "./image-processor.js";
import { anyresRows, bestResolution, fitTiles } from "./tiles.js";

const tiles = {
  pinpoints: [
    [2, 4],
    [4, 2],
    [4, 4],
  ] as const,
  size: 2,
};

describe("fitTiles", () => {
  it("shows the whole picture and then its tiles, with black where it does not reach", () => {
    const image = { pixels: new Uint8Array(8 * 2 * 3).fill(200), width: 8, height: 2 };
    const { images, grid, original } = fitTiles(image, squareProcessor(2, { tiles }));
    expect(grid).toEqual([1, 2]);
    expect(original).toEqual({ height: 2, width: 8 });
    expect(images.map(({ width, height }) => [width, height])).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
    expect(images.map(({ pixels }) => [pixels[0], pixels[6]])).toEqual([
      [200, 200],
      [200, 0],
      [200, 0],
    ]);
  });

  it("is refused without tiles", async () => {
    const image = { pixels: new Uint8Array(3), width: 1, height: 1 };
    expect(await rejection(() => fitTiles(image, squareProcessor(2)))).toMatchInlineSnapshot(
      `"fitTiles: expected a processor that cuts pictures into tiles, got one that makes a single image. Call fitImage, or read the processor with { imageAspectRatio: "anyres" }. [E_CONFIG]"`,
    );
  });
});

describe("bestResolution", () => {
  it("takes the first of equals, and always one", () => {
    expect(bestResolution({ height: 1, width: 1 }, tiles)).toEqual({ height: 2, width: 4 });
    expect(bestResolution({ height: 1, width: 9000 }, tiles)).toEqual({ height: 2, width: 4 });
  });
});

describe("anyresRows", () => {
  it("puts the lines of the tiles together, without the padding, each with a newline", () => {
    const rows = anyresRows({ original: { height: 2, width: 8 }, grid: [1, 2], side: 2 });
    expect([...rows]).toEqual([0, 1, 2, 3, 4, 5, 8, 9, NEWLINE_ROW, 6, 7, 10, 11, NEWLINE_ROW]);
    const narrow = anyresRows({ original: { height: 4, width: 4 }, grid: [1, 2], side: 2 });
    expect([...narrow.slice(4)]).toEqual([5, 8, NEWLINE_ROW, 7, 10, NEWLINE_ROW]);
  });
});

import { describe, expect, it } from "vitest";

import { plainSheet } from "../test/sheet.js";
import { decodeSheet, encodeSheet } from "./sheet-image.js";

describe("encodeSheet and decodeSheet", () => {
  it("give the same sheet back, byte for byte", () => {
    const sheet = plainSheet();
    const image = encodeSheet(sheet);
    expect([image.width, image.height]).toEqual([2 * 18 * 32, sheet.concepts.length * 32]);
    const { pixels, ...contents } = sheet;
    const decoded = decodeSheet(image, contents);
    expect(decoded.concepts).toEqual(sheet.concepts);
    expect(Buffer.from(decoded.pixels).equals(Buffer.from(pixels))).toBe(true);
  });

  it("refuses a picture of another sheet", () => {
    const { pixels: _, ...contents } = plainSheet();
    const image = encodeSheet(plainSheet());
    const fewer = { ...contents, concepts: contents.concepts.slice(1) };
    expect(() => decodeSheet(image, fewer)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: sprite sheet: expected a picture of 1152 × 640 for 20 concepts, got 1152 × 672. Picture and list of concepts are of different sheets: make both again. [E_IMAGE]]`,
    );
  });
});

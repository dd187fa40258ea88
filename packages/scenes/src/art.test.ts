import { describe, expect, it } from "vitest";

import { findDrawing, type IconSet, readArtSource } from "./art.js";
import { STYLES } from "./styles.js";

const emoji = {
  label: "black cat",
  hexcode: "1F408-200D-2B1B",
  tags: [],
  group: "animals-nature",
  subgroup: "",
};
const set: IconSet = {
  icons: { cat: { body: "<path/>", width: 32 } },
  aliases: { "black-cat": { parent: "cat" }, "mirror-cat": { parent: "cat", hFlip: true } },
  chars: {},
  height: 16,
};

describe("findDrawing", () => {
  it("finds a drawing by code point, by name and through an alias", () => {
    const svg = findDrawing(set, emoji);
    expect(svg).toContain('viewBox="0 0 32 16"><path/>');
    expect(findDrawing({ ...set, chars: { "1f408-200d-2b1b": "cat" } }, emoji)).toBe(svg);
  });

  it("has none where the team did not draw it, or only mirrored", () => {
    expect(findDrawing(set, { ...emoji, label: "dog" })).toBeNull();
    expect(findDrawing(set, { ...emoji, label: "mirror cat" })).toBeNull();
  });
});

describe("readArtSource", () => {
  it("knows the licence of every team", async () => {
    const sources = await Promise.all(STYLES.map(readArtSource));
    expect(sources.map(({ style, license }) => `${style} ${license}`)).toEqual([
      "twemoji CC-BY-4.0",
      "noto Apache-2.0",
      "fluent-emoji-flat MIT",
      "fluent-emoji MIT",
      "emojione CC-BY-4.0",
      "openmoji CC-BY-SA-4.0",
    ]);
  });
});

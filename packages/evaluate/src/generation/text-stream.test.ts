import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { StopStrings } from "./stops.js";
import { TextStream } from "./text-stream.js";

/** One token per byte, and one (256) without text, as a special token. */
function decodeBytes(ids: readonly number[]): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(ids.filter((id) => id < 256)));
}

/** As SentencePiece's: each word has its space before it, and the first space goes. */
function decodeWords(ids: readonly number[]): string {
  const words = ["", "▁a", "▁cat", "s", "▁", "."];
  return ids
    .map((id) => words[id] ?? "")
    .join("")
    .replaceAll("▁", " ")
    .replace(/^ /, "");
}

describe("TextStream", () => {
  it("gives whole characters alone, and all of the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        fc.pre(!text.includes("\ufffd"));
        const stream = new TextStream(decodeBytes);
        const pieces = Array.from(new TextEncoder().encode(text)).flatMap((byte) => [
          stream.push(byte),
          stream.push(256),
        ]);
        expect(pieces.some((piece) => piece.includes("\ufffd"))).toBe(false);
        expect(pieces.join("") + stream.end()).toBe(text);
      }),
    );
  });

  it("keeps spaces that a decoder strips at the start", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 30 }), (ids) => {
        const stream = new TextStream(decodeWords);
        const pieces = ids.map((id) => stream.push(id));
        expect(pieces.join("") + stream.end()).toBe(decodeWords(ids));
      }),
    );
  });

  it("gives half a character at the end as U+FFFD", () => {
    const stream = new TextStream(decodeBytes);
    expect([stream.push(0x61), stream.push(0xe2), stream.push(0x82), stream.end()]).toEqual([
      "a",
      "",
      "",
      "\ufffd",
    ]);
  });

  it("decodes a few tokens at a time, however long the text", () => {
    const lengths: number[] = [];
    const stream = new TextStream((ids) => {
      lengths.push(ids.length);
      return decodeWords(ids);
    });
    for (let i = 0; i < 500; i++) stream.push(1 + (i % 3));
    expect(Math.max(...lengths)).toBe(2);
  });
});

describe("StopStrings", () => {
  it("finds a stop string over the borders of pieces and never shows it", () => {
    const stops = new StopStrings(["###", "END"]);
    expect(["one #", "# two #", "#", "# three"].map((piece) => stops.push(piece))).toEqual([
      "one ",
      "## two ",
      "",
      "",
    ]);
    expect([stops.stopped, stops.end()]).toEqual([true, ""]);
  });

  it("gives back what only began like one", () => {
    const stops = new StopStrings(["END"]);
    expect([stops.push("the EN"), stops.end(), stops.stopped]).toEqual(["the ", "EN", false]);
  });

  it("cuts at the first stop string, however the text is cut", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
    const stop = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(letters), fc.array(stop, { minLength: 1, maxLength: 3 }), (pieces, texts) => {
        const stops = new StopStrings(texts);
        const shown = pieces.map((piece) => stops.push(piece)).join("") + stops.end();
        const whole = pieces.join("");
        const found = texts.map((text) => whole.indexOf(text)).filter((at) => at >= 0);
        expect(stops.stopped).toBe(found.length > 0);
        if (found.length === 0) expect(shown).toBe(whole);
        else expect(texts.some((text) => shown.includes(text))).toBe(false);
        expect(whole.startsWith(shown)).toBe(true);
      }),
    );
  });

  it("refuses an empty one", () => {
    expect(() => new StopStrings(["a", ""])).toThrow(
      'generate: stopStrings must be texts of at least one letter, got ["a",""]. Correct stopStrings.',
    );
  });
});

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { fitImage, toImageBatch } from "../src/image-processor.js";
import { parseImageProcessor } from "../src/processor-config.js";
import { type Filter, type RgbImage, resizeImage } from "../src/resample.js";
import { anyresRows, bestResolution, fitTiles } from "../src/tiles.js";

type Size = readonly [number, number];

interface ResizeCase {
  readonly seed: number;
  readonly kind: Kind;
  readonly size: Size;
  readonly to: Size;
  readonly filter: Filter;
  readonly sha256: string;
}

interface ProcessorCase {
  readonly seed: number;
  readonly size: Size;
  readonly config: string;
  readonly shape: readonly number[];
  readonly sha256: string;
}

interface AnyresCase {
  readonly original: Size;
  readonly pixels: number;
  readonly side: number;
  readonly pinpoints: readonly Size[];
  readonly best: Size;
  readonly rows: number;
  readonly sha256: string;
}

type Kind = "noise" | "extreme" | "smooth";

/** What record.py wrote. */
function recorded<Case>(name: string) {
  const text = readFileSync(new URL(`__golden__/${name}.json`, import.meta.url), "utf8");
  return JSON.parse(text) as { cases: readonly Case[]; configs: Readonly<Record<string, unknown>> };
}

/** The generator of record.py. */
function picture(seed: number, [width, height]: Size, kind: Kind): RgbImage {
  let state = seed;
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const value = state >>> 24;
    if (kind === "extreme") return value < 128 ? 0 : 255;
    if (kind === "smooth") return ((((Math.floor(i / 3) * 7) % 2048) >> 3) + (value >> 4)) >> 1;
    return value;
  });
  return { pixels, width, height };
}

function sha256(values: ArrayBufferView): string {
  return createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");
}

describe("resizeImage", () => {
  const { cases } = recorded<ResizeCase>("resample");

  it("gives Pillow's bytes for 240 sizes, up and down, under every filter", () => {
    const wrong = cases.filter(({ seed, kind, size, to: [width, height], filter, sha256: expected }) => {
      const resized = resizeImage(picture(seed, size, kind), { width, height, filter });
      return sha256(resized.pixels) !== expected;
    });
    expect(wrong).toEqual([]);
    expect(new Set(cases.map(({ filter }) => filter)).size).toBe(6);
  });
});

describe("processors", () => {
  const { cases, configs } = recorded<ProcessorCase>("processors");

  it.each(Object.keys(configs))(
    "give transformers' levels, normalised in double precision, bit by bit for %s",
    (name) => {
      const processor = parseImageProcessor(configs[name]);
      for (const { seed, size, shape, sha256: expected } of cases.filter(({ config }) => config === name)) {
        const image = picture(seed, size, "smooth");
        const tiles = processor.tiles !== undefined;
        const images = tiles ? fitTiles(image, processor).images : [fitImage(image, processor)];
        const batch = toImageBatch(images, processor);
        expect(tiles ? batch.shape : batch.shape.slice(1)).toEqual(shape);
        expect(sha256(batch.pixels)).toBe(expected);
      }
    },
  );
});

describe("anyresRows", () => {
  const { cases } = recorded<AnyresCase>("anyres");

  it.each(cases)("orders the rows of $original ($side a side) as transformers does", (golden) => {
    const { pixels, pinpoints, side, best } = golden;
    const original = { height: golden.original[0], width: golden.original[1] };
    const found = bestResolution(original, { pinpoints, size: pixels });
    expect([found.height, found.width]).toEqual(best);
    const rows = anyresRows({ original, grid: [found.height / pixels, found.width / pixels], side });
    expect(rows).toHaveLength(golden.rows);
    expect(sha256(rows)).toBe(golden.sha256);
  });
});

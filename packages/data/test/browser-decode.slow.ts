// Pictures in headless Chromium, against what Pillow and Node make of them.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";

import { requireChromium, runInBrowser } from "../../backend-cpu/test/chromium.js";
import type { DecodeAnswer, DecodeTask } from "./browser-decode-program.js";
import { readDecodeGolden, recordedFile } from "./decode-golden.js";

const { cases } = readDecodeGolden();
/** Files whose decoders differ by at most this many levels. */
const LEVELS: Readonly<Record<string, number>> = { "cmyk.jpg": 1, "cmyk_plain.jpg": 1 };
/** Read by Node alone. */
const isRefused = (name: string): boolean => /\.tif$|^gray16/.test(name);

const readable = cases.filter(({ name }) => !isRefused(name));
const tasks: readonly DecodeTask[] = [
  ...readable.map(({ name }) => ({ name, options: {} })),
  ...readable.map(({ name }) => ({ name, options: { background: "white" as const } })),
  { name: "gray16.tif", options: {} },
  { name: "gray16.png", options: {} },
  { name: "rgb.png", options: {}, length: 300 },
  { name: "rgb.png", options: { pixelLimit: 100 } },
];
let answers: readonly DecodeAnswer[] = [];

beforeAll(async () => {
  requireChromium();
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("browser-decode-program.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["@basic-mllm/source"],
    logLevel: "error",
  });
  const program = outputFiles[0]?.text ?? "";
  answers = (await runInBrowser((url) => {
    if (url === "/program.mjs") return program;
    if (url === "/tasks.json") return JSON.stringify(tasks);
    return url.startsWith("/files/") ? readFileSync(recordedFile(url.slice(7))) : undefined;
  })) as readonly DecodeAnswer[];
});

function levelsOff(answer: DecodeAnswer | undefined, expected: Uint8Array): number {
  if (answer === undefined || "error" in answer) throw new Error(answer?.error ?? "no answer");
  expect(answer.pixels).toHaveLength(expected.length);
  return answer.pixels.reduce((most, level, i) => Math.max(most, Math.abs(level - (expected[i] ?? 0))), 0);
}

describe("decodeImage in a browser", () => {
  it.each(readable.map((one, i) => ({ ...one, i })))("gives the pixels of $name", ({ name, rgb, i }) => {
    expect(levelsOff(answers[i], rgb)).toBeLessThanOrEqual(LEVELS[name] ?? 0);
  });

  it.each(readable.map((one, i) => ({ ...one, i })))("lays $name on white", ({ name, rgb, white, i }) => {
    expect(levelsOff(answers[readable.length + i], white ?? rgb)).toBeLessThanOrEqual(LEVELS[name] ?? 0);
  });

  it("says what it cannot decode", () => {
    expect(answers.slice(2 * readable.length)).toMatchInlineSnapshot(`
      [
        {
          "error": "image "gray16.tif": expected a file that browsers read as Node does, got a TIFF file. Convert it to PNG of 8 bits, or set onImageError to "skip-and-count". [E_IMAGE]",
        },
        {
          "error": "image "gray16.png": expected a file that browsers read as Node does, got a PNG of 16 bits gray. Convert it to PNG of 8 bits, or set onImageError to "skip-and-count". [E_IMAGE]",
        },
        {
          "error": "image "rgb.png": expected a PNG, JPEG, WebP, GIF, TIFF or AVIF file, got 300 bytes that cannot be decoded (The source image could not be decoded.). Replace the file, or set onImageError to "skip-and-count". [E_IMAGE]",
        },
        {
          "error": "image "rgb.png": expected at most 100 pixels, got 17 × 11 = 187. Make the picture smaller, raise pixelLimit where that is meant, or set onImageError to "skip-and-count". [E_IMAGE]",
        },
      ]
    `);
  });
});

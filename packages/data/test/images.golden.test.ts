import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

import { decodeImage } from "../src/decode.js";
import { fitImage, toImageBatch } from "../src/image-processor.js";
import { parseImageProcessor } from "../src/processor-config.js";
import type { RgbImage } from "../src/resample.js";
import { readTensors } from "./safetensors.js";

interface Case {
  readonly name: string;
  readonly file: string;
  readonly image: string;
  readonly decoded_size: readonly [number, number];
  readonly tensors: Readonly<Record<string, unknown>>;
  readonly tol: Readonly<Record<string, number>>;
}

const folder = fileURLToPath(new URL("../../../golden/images/", import.meta.url));
const index = JSON.parse(await readFile(`${folder}index.json`, "utf8")) as {
  readonly cases: readonly Case[];
};

/** `[H, W, 3]` to `[3, H, W]`. */
function channelsFirst<Values extends Uint8Array | Float32Array>(values: Values): number[] {
  return [0, 1, 2].flatMap((channel) => [...values].filter((_, i) => i % 3 === channel));
}

function largestDifference(a: readonly number[], b: ArrayLike<number>): number {
  expect(a).toHaveLength(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (b[i] as number))), 0);
}

describe.each(index.cases)("$name", (golden) => {
  const processors = Object.keys(golden.tensors).flatMap((name) => name.match(/^uint8\.(.*)$/)?.[1] ?? []);

  it("decodes to the golden pixels", async () => {
    const tensors = await readTensors(folder + golden.file);
    const image = await decodeImage(await readFile(folder + golden.image), golden.name);
    expect([image.width, image.height]).toEqual(golden.decoded_size);
    const expected = tensors.get("decoded_rgb") as Uint8Array;
    const tolerance = golden.name.endsWith(".jpg") ? 3 : 0;
    expect(largestDifference([...image.pixels], expected)).toBeLessThanOrEqual(tolerance);
  });

  it.each(processors)("fits %s to the last bit from the golden pixels", async (name) => {
    const tensors = await readTensors(folder + golden.file);
    const config = JSON.parse(await readFile(`${folder}preprocessor_config.${name}.json`, "utf8"));
    const [width, height] = golden.decoded_size;
    const decoded: RgbImage = { pixels: tensors.get("decoded_rgb") as Uint8Array, width, height };
    const processor = parseImageProcessor(config);
    const fitted = fitImage(decoded, processor);
    expect(largestDifference(channelsFirst(fitted.pixels), tensors.get(`uint8.${name}`) as Uint8Array)).toBe(
      0,
    );
    const values = new Float32Array((tensors.get(`pixel_values.${name}`) as Uint8Array).buffer);
    const { pixels } = toImageBatch([fitted], processor);
    expect(largestDifference(channelsFirst(pixels), values)).toBeLessThanOrEqual(1e-5);
  });
});

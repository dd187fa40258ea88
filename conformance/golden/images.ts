import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import {
  decodeImage,
  fitImage,
  type ImageProcessor,
  parseImageProcessor,
  toImageBatch,
} from "@basic-mllm/data";

import type { GoldenCase } from "./golden-case.js";
import { type Check, caseCheck, readIndex } from "./runner.js";

const FIELDS = [
  "image",
  "mode",
  "stored_size",
  "decoded_size",
  "exif_changes_size",
  "llava_pad_equals_original",
];

/** Images through decoder and processors. */
export function imageFamily(folder: string): readonly Check[] {
  const processors = readProcessors(folder);
  return readIndex(folder).map((record) =>
    caseCheck(folder, record, (golden) => checkImage(golden, processors)),
  );
}

/** Processors by the name that tensors carry. */
function readProcessors(folder: string): ReadonlyMap<string, ImageProcessor> {
  const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), "utf8"));
  const { processors } = read("index.json") as { readonly processors: Readonly<Record<string, string>> };
  return new Map(
    Object.entries(processors).map(([name, file]) => [
      name,
      parseImageProcessor(read(file) as Record<string, unknown>),
    ]),
  );
}

async function checkImage(
  golden: GoldenCase,
  processors: ReadonlyMap<string, ImageProcessor>,
): Promise<void> {
  golden.allowFields(...FIELDS);
  const file = golden.record["image"] as string;
  const [width, height] = golden.record["decoded_size"] as [number, number];
  const bytes = await readFile(join(golden.folder, file));
  const decoded = await decodeImage(bytes, file);
  if (decoded.width !== width || decoded.height !== height) {
    throw new Error(`decoded to ${decoded.width} x ${decoded.height}, expected ${width} x ${height}`);
  }
  golden.compare("decoded_rgb", decoded.pixels, { like: "uint8.*" });
  if (golden.has("decoded_rgb_on_white")) {
    const { pixels } = await decodeImage(bytes, file, { background: "white" });
    golden.compareExactly("decoded_rgb_on_white", [...pixels]);
  }
  const given = { width, height, pixels: Uint8Array.from(golden.integers("decoded_rgb")) };
  for (const name of namesOf(golden)) {
    const processor = processors.get(name);
    if (processor === undefined) throw new Error(`unknown processor ${name}`);
    // Decoders of JPEG differ; from the same pixels on all is exact.
    golden.compareExactly(`uint8.${name}`, channelsFirst(fitImage(given, processor).pixels));
    const { pixels } = toImageBatch([fitImage(decoded, processor)], processor);
    golden.compare(`pixel_values.${name}`, channelsFirst(pixels));
  }
}

function namesOf(golden: GoldenCase): readonly string[] {
  return golden.tensorNames.flatMap((name) => /^uint8\.(.*)$/.exec(name)?.[1] ?? []);
}

/** `[H, W, 3]` to `[3, H, W]`. */
function channelsFirst(values: Uint8Array | Float32Array): number[] {
  return [0, 1, 2].flatMap((channel) => [...values].filter((_, i) => i % 3 === channel));
}

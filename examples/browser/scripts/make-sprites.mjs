// Renders public/sprites.webp and src/worker/sprites.json: the animals and food of the quickstart, by all six teams of artists.
// The page ships these two files; run this again where the art or its versions change.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { conceptPools, encodeSheet, loadSprites } from "@basic-mllm/scenes";
import sharp from "sharp";

const folder = new URL("../", import.meta.url);
const sheet = await loadSprites();
const { seen, heldOut } = conceptPools(sheet.concepts);
const pool = [...seen, ...heldOut].sort((a, b) => a - b);
const each = sheet.pixels.length / sheet.concepts.length;
const pixels = new Uint8Array(pool.length * each);
for (const [place, concept] of pool.entries()) {
  pixels.set(sheet.pixels.subarray(concept * each, (concept + 1) * each), place * each);
}
const concepts = pool.map((concept) => sheet.concepts[concept]);
const image = encodeSheet({ concepts, pixels });
const { width, height } = image;
await sharp(image.pixels, { raw: { width, height, channels: 3 } })
  .webp({ lossless: true, effort: 6 })
  .toFile(fileURLToPath(new URL("public/sprites.webp", folder)));
const contents = JSON.stringify({ concepts, sources: sheet.sources }, null, 1);
await writeFile(new URL("src/worker/sprites.json", folder), `${contents}\n`);

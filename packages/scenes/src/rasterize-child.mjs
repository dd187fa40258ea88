// @ts-check
// Draws SVGs in a process of its own: resvg aborts the whole process on some drawings.
//
// node rasterize-child.mjs JOBS OUT FIRST
//   JOBS   one JSON line for each concept: its SVGs, one for each style
//   OUT    raw pixels of all concepts, written at the place of each concept
//   FIRST  line to start with
// Prints the number of each line before it is drawn, and `skip N reason` where drawing failed.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { Resvg } from "@resvg/resvg-js";

const [jobs = "", out = "", first = "0", sizesText = "", cellText = ""] = process.argv.slice(2);
const sizes = sizesText.split(",").map(Number);
const cell = Number(cellText);
const lines = readFileSync(jobs, "utf8").split("\n");
const file = openSync(out, "r+");

/** @param {string} svg @param {number} size @param {Buffer} target @param {number} start */
function draw(svg, size, target, start) {
  const options = {
    fitTo: { mode: /** @type {const} */ ("width"), value: size },
    font: { loadSystemFonts: false },
  };
  const { width, height, pixels } = new Resvg(svg, options).render();
  const columns = Math.min(width, cell);
  for (let y = 0; y < Math.min(height, cell); y++) {
    pixels.copy(target, start + y * cell * 4, y * width * 4, (y * width + columns) * 4);
  }
}

for (let index = Number(first); index < lines.length; index++) {
  const line = lines[index];
  if (!line) continue;
  writeSync(1, `${index}\n`);
  /** @type {string[]} */
  const drawings = JSON.parse(line);
  const block = Buffer.alloc(drawings.length * sizes.length * cell * cell * 4);
  try {
    for (const [style, svg] of drawings.entries()) {
      for (const [order, size] of sizes.entries()) {
        draw(svg, size, block, (style * sizes.length + order) * cell * cell * 4);
      }
    }
    writeSync(file, block, 0, block.length, index * block.length);
  } catch (error) {
    writeSync(1, `skip ${index} ${error instanceof Error ? error.message.split("\n")[0] : String(error)}\n`);
  }
}
closeSync(file);

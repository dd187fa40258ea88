// @ts-check
// Draws SVGs in a process of its own: resvg aborts the whole process on some drawings.
//
// node rasterize-child.mjs JOBS OUT FIRST STEP SIZES CELL
//   JOBS   one JSON line for each concept: its SVGs, one for each style
//   OUT    raw pixels of all concepts, written at the place of each concept
//   FIRST  line to start with
//   STEP   from line to line: other processes draw those between
//   SIZES  widths of the drawings, with commas
//   CELL   side of the square that each is put into
// Prints the number of each line before it is drawn, `skip N reason` where drawing failed, and `stop CODE message`
// where OUT cannot be written: a drawing that could be made is never left out.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { Resvg } from "@resvg/resvg-js";

const [jobs = "", out = "", first = "0", step = "1", sizesText = "", cellText = ""] = process.argv.slice(2);
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

/** @param {Buffer} block @param {number} position */
function write(block, position) {
  try {
    for (let done = 0; done < block.length; ) {
      done += writeSync(file, block, done, block.length - done, position + done);
    }
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    writeSync(1, `stop ${code} ${message}\n`);
    process.exit(1);
  }
}

for (let index = Number(first); index < lines.length; index += Number(step)) {
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
  } catch (error) {
    writeSync(1, `skip ${index} ${error instanceof Error ? error.message.split("\n")[0] : String(error)}\n`);
    continue;
  }
  write(block, index * block.length);
}
closeSync(file);

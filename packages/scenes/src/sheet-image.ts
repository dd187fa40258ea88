import { BasicError } from "@basic-mllm/core";
import type { RgbImage } from "@basic-mllm/data";

import { BYTES_PER_SPRITE, SPRITE_CELL, SPRITES_PER_CONCEPT, type SpriteSheet } from "./sprite-sheet.js";

/** A row of the picture is a concept: the colours of all its sprites, then their alpha as gray. */
const ROW_WIDTH = 2 * SPRITES_PER_CONCEPT * SPRITE_CELL;

/**
 * A sheet as one picture without transparency, which image codecs and canvases keep as it is: 32 pixels of height for
 * each concept, in which the colours (premultiplied) of its 18 sprites stand, and right of them their alpha as gray.
 */
export function encodeSheet({ concepts, pixels }: Pick<SpriteSheet, "concepts" | "pixels">): RgbImage {
  const height = concepts.length * SPRITE_CELL;
  const image = new Uint8Array(height * ROW_WIDTH * 3);
  eachPixel(concepts.length, (sprite, color, alpha) => {
    image.set(pixels.subarray(sprite, sprite + 3), color);
    image.fill(pixels[sprite + 3] as number, alpha, alpha + 3);
  });
  return { pixels: image, width: ROW_WIDTH, height };
}

/**
 * The sheet of a picture of {@link encodeSheet}.
 *
 * @throws `BasicError` `E_IMAGE` where the picture has another size than its concepts need.
 */
export function decodeSheet(
  image: RgbImage,
  { concepts, sources }: Omit<SpriteSheet, "pixels">,
): SpriteSheet {
  const height = concepts.length * SPRITE_CELL;
  if (image.width !== ROW_WIDTH || image.height !== height) {
    throw new BasicError(
      "E_IMAGE",
      `sprite sheet: expected a picture of ${ROW_WIDTH} × ${height} for ${concepts.length} concepts, got ${image.width} × ${image.height}. ` +
        "Picture and list of concepts are of different sheets: make both again.",
    );
  }
  const pixels = new Uint8Array(concepts.length * SPRITES_PER_CONCEPT * BYTES_PER_SPRITE);
  eachPixel(concepts.length, (sprite, color, alpha) => {
    pixels.set(image.pixels.subarray(color, color + 3), sprite);
    pixels[sprite + 3] = image.pixels[alpha] as number;
  });
  return { concepts, sources, pixels };
}

/** Calls back with the first byte of each pixel: in the sheet, in the picture's colours and in its alpha. */
function eachPixel(concepts: number, visit: (sprite: number, color: number, alpha: number) => void): void {
  const alphaShift = (ROW_WIDTH / 2) * 3;
  for (let concept = 0; concept < concepts; concept++) {
    for (let place = 0; place < SPRITES_PER_CONCEPT; place++) {
      for (let y = 0; y < SPRITE_CELL; y++) {
        const sprite = (concept * SPRITES_PER_CONCEPT + place) * BYTES_PER_SPRITE + y * SPRITE_CELL * 4;
        const color = ((concept * SPRITE_CELL + y) * ROW_WIDTH + place * SPRITE_CELL) * 3;
        for (let x = 0; x < SPRITE_CELL; x++) {
          visit(sprite + 4 * x, color + 3 * x, color + 3 * x + alphaShift);
        }
      }
    }
  }
}

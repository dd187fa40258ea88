import type { Random } from "@basic-mllm/core";

import { pick } from "./draw.js";
import { BACKGROUNDS, EMPTY, type Scene } from "./scene.js";
import { SPRITE_CELL, SPRITE_SIZES, type SpriteSheet, spriteOffset } from "./sprite-sheet.js";
import type { Style } from "./styles.js";

/** Pixels along each side of a scene. */
export const SCENE_SIZE = 64;

/** Bytes of a scene: `[64, 64, 3]`. */
export const SCENE_BYTES = SCENE_SIZE * SCENE_SIZE * 3;

/** Standard deviation of the background colour from picture to picture. */
const COLOR_NOISE = 8;

/** A drawn scene. */
export interface Picture {
  /** `[64, 64, 3]`, red, green, blue. */
  readonly pixels: Uint8Array;
  /** Who drew the object in each quadrant; null where it is empty. */
  readonly styles: readonly (Style | null)[];
}

/**
 * Draws a scene: a noisy background colour, then each object at a random size and place in its quadrant.
 *
 * @param styles - Teams to choose from, for each object apart.
 */
export function composeScene(
  random: Random,
  sheet: SpriteSheet,
  scene: Scene,
  styles: readonly Style[],
): Picture {
  const pixels = new Uint8Array(SCENE_BYTES);
  fillBackground(random, pixels, scene.background);
  const drawn = scene.cells.map((concept, cell) => {
    if (concept === EMPTY) return null;
    const style = pick(random, styles);
    const size = random.int(SPRITE_SIZES.length);
    const room = SPRITE_CELL - (SPRITE_SIZES[size] as number) + 1;
    const top = Math.floor(cell / 2) * SPRITE_CELL + random.int(room);
    const left = (cell % 2) * SPRITE_CELL + random.int(room);
    paint(pixels, sheet.pixels.subarray(spriteOffset(concept, style, size)), {
      top,
      left,
      size: SPRITE_SIZES[size] as number,
    });
    return style;
  });
  return { pixels, styles: drawn };
}

function fillBackground(random: Random, pixels: Uint8Array, background: number): void {
  const color = (BACKGROUNDS[background] as (typeof BACKGROUNDS)[number])[1];
  const noisy = color.map((value) => clampByte(value + COLOR_NOISE * random.normal()));
  for (let i = 0; i < pixels.length; i++) pixels[i] = noisy[i % 3] as number;
}

interface Place {
  readonly top: number;
  readonly left: number;
  readonly size: number;
}

/** Lays a premultiplied sprite over the picture. */
function paint(pixels: Uint8Array, sprite: Uint8Array, { top, left, size }: Place): void {
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const from = (y * SPRITE_CELL + x) * 4;
      const to = ((top + y) * SCENE_SIZE + left + x) * 3;
      const kept = 1 - (sprite[from + 3] as number) / 255;
      for (let channel = 0; channel < 3; channel++) {
        const under = pixels[to + channel] as number;
        pixels[to + channel] = clampByte(under * kept + (sprite[from + channel] as number));
      }
    }
  }
}

function clampByte(value: number): number {
  return Math.min(255, Math.max(0, Math.floor(value)));
}

import type { Concept } from "./concepts.js";
import { type ArtSource, STYLES, type Style } from "./styles.js";

/** Widths in pixels that every picture is drawn at. */
export const SPRITE_SIZES = [24, 28, 32] as const;

/** Pixels along each side of a sprite's cell; smaller sprites stand in the top left. */
export const SPRITE_CELL = 32;

/** Bytes of a sprite. */
export const BYTES_PER_SPRITE = SPRITE_CELL * SPRITE_CELL * 4;
/** Sprites of one concept: each team at each size. */
export const SPRITES_PER_CONCEPT = STYLES.length * SPRITE_SIZES.length;

/** Every concept drawn by every team at every size. */
export interface SpriteSheet {
  readonly concepts: readonly Concept[];
  readonly sources: readonly ArtSource[];
  /** RGBA, premultiplied: `[concepts, styles, sizes, 32, 32, 4]`. */
  readonly pixels: Uint8Array;
}

/** First byte of a sprite in {@link SpriteSheet.pixels}. */
export function spriteOffset(concept: number, style: Style, size: number): number {
  return (
    (concept * SPRITES_PER_CONCEPT + STYLES.indexOf(style) * SPRITE_SIZES.length + size) * BYTES_PER_SPRITE
  );
}

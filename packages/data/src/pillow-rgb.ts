// How Pillow makes 8-bit red, green and blue of other pixels.

/** RGB bytes of a picture. */
type Rgb = Uint8Array;

/** a · b / 255, rounded. */
function scaled(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** Cyan, magenta, yellow, key: `(255 − K) − C · (255 − K) / 255`. Source: Pillow 13, `cmyk2rgb`. */
export function cmykToRgb(cmyk: Uint8Array): Rgb {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let from = 0, to = 0; from < cmyk.length; from += 4) {
    const light = 255 - (cmyk[from + 3] as number);
    for (let i = 0; i < 3; i++) rgb[to++] = Math.max(0, light - scaled(cmyk[from + i] as number, light));
  }
  return rgb;
}

/** Gray levels of 16 bits, which Pillow cuts off at 255. @param channels - 1, or 2 with transparency. */
export function gray16ToRgba(levels: Uint16Array, channels: number): Uint8Array {
  const rgba = new Uint8Array((levels.length / channels) * 4);
  for (let from = 0, to = 0; from < levels.length; from += channels, to += 4) {
    rgba.fill(Math.min(255, levels[from] as number), to, to + 3);
    rgba[to + 3] = channels === 2 ? (levels[from + 1] as number) >> 8 : 255;
  }
  return rgba;
}

/** Leaves transparency out; the colours under it stay. */
export function withoutAlpha(rgba: Uint8Array): Rgb {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from] as number;
    rgb[to++] = rgba[from + 1] as number;
    rgb[to++] = rgba[from + 2] as number;
  }
  return rgb;
}

/** Lays pixels on white. Source: Pillow 13, `alpha_composite` on an opaque ground. */
export function onWhite(rgba: Uint8Array): Rgb {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    const share = (rgba[from + 3] as number) * 128;
    const ground = 255 * (255 * 128 - share) + 128 * 128;
    for (let i = 0; i < 3; i++) {
      const sum = (rgba[from + i] as number) * share + ground;
      rgb[to++] = ((sum + (sum >>> 8)) >>> 15) & 255;
    }
  }
  return rgb;
}

/** What the pixels of a GIF are that its first frame leaves open. */
export interface GifGround {
  /** Colour that the palette has for them. */
  readonly color: readonly [number, number, number];
  /** Whether the file calls that colour transparent; else only what lies outside of the frame is open. */
  readonly transparent: boolean;
  /** Where the first frame stands: first and last columns and lines, the last not included. */
  readonly frame: {
    readonly left: number;
    readonly top: number;
    readonly right: number;
    readonly bottom: number;
  };
}

/** Reads the palette and the transparent colour of the first frame; black where a file is cut off. */
export function gifGround(bytes: Uint8Array): GifGround {
  const short = (at: number): number => (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  let at = 13;
  let palette = 0;
  let transparent: number | null = null;
  const tableSize = (flags: number, start: number): number => {
    if ((flags & 0x80) === 0) return 0;
    palette = start;
    return 3 * 2 ** ((flags & 7) + 1);
  };
  at += tableSize(bytes[10] ?? 0, at);
  while (bytes[at] === 0x21) {
    if (bytes[at + 1] === 0xf9 && ((bytes[at + 3] ?? 0) & 1) === 1) transparent = bytes[at + 6] ?? 0;
    at += 2;
    while ((bytes[at] ?? 0) > 0) at += (bytes[at] as number) + 1;
    at += 1;
  }
  tableSize(bytes[at + 9] ?? 0, at + 10);
  const [left, top] = [short(at + 1), short(at + 3)];
  const first = palette + 3 * (transparent ?? 0);
  const channel = (i: number): number => (palette === 0 ? 0 : (bytes[first + i] ?? 0));
  return {
    color: [channel(0), channel(1), channel(2)],
    transparent: transparent !== null,
    frame: { left, top, right: left + short(at + 5), bottom: top + short(at + 7) },
  };
}

/** Gives the open pixels of a GIF's first frame the palette's colour. @param width - Of the picture. */
export function fillOpen(rgba: Uint8Array, width: number, { color, frame }: GifGround): void {
  const [red, green, blue] = color;
  for (let i = 0; i < rgba.length; i += 4) {
    const x = (i / 4) % width;
    const y = (i / 4 - x) / width;
    const inside = x >= frame.left && x < frame.right && y >= frame.top && y < frame.bottom;
    if (inside && rgba[i + 3] !== 0) continue;
    rgba[i] = red;
    rgba[i + 1] = green;
    rgba[i + 2] = blue;
    rgba[i + 3] = 255;
  }
}

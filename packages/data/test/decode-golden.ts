import { readFileSync } from "node:fs";

/** A picture file with what Pillow makes of it. */
export interface DecodeCase {
  readonly name: string;
  readonly size: readonly [width: number, height: number];
  /** Red, green, blue after `convert("RGB")`. */
  readonly rgb: Uint8Array;
  /** On white, where the picture has transparency. */
  readonly white?: Uint8Array;
}

/** Written by record_decode.py. */
export interface DecodeGolden {
  /** SHA-256 of conversions of all levels. */
  readonly tables: { readonly white: string; readonly cmyk: string };
  readonly cases: readonly DecodeCase[];
}

const folder = new URL("__golden__/", import.meta.url);
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

/** Where a recorded file lies. */
export function recordedFile(name: string): URL {
  return new URL(`decode/${name}`, folder);
}

/** Reads what Pillow made of the recorded files. */
export function readDecodeGolden(): DecodeGolden {
  const text = readFileSync(new URL("decode.json", folder), "utf8");
  const { tables, cases } = JSON.parse(text) as {
    tables: DecodeGolden["tables"];
    cases: readonly { name: string; size: [number, number]; rgb: string; white?: string }[];
  };
  return {
    tables,
    cases: cases.map(({ rgb, white, ...rest }) => ({
      ...rest,
      rgb: bytesOf(rgb),
      ...(white !== undefined && { white: bytesOf(white) }),
    })),
  };
}

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import type { Emoji } from "./concepts.js";
import type { ArtSource, Style } from "./styles.js";

interface Icon {
  readonly body: string;
  readonly left?: number;
  readonly top?: number;
  readonly width?: number;
  readonly height?: number;
}

interface Alias {
  readonly parent: string;
  readonly hFlip?: boolean;
  readonly vFlip?: boolean;
  readonly rotate?: number;
}

/** An icon set as the Iconify packages store it, with the map from code points to icon names. */
export interface IconSet {
  readonly icons: Readonly<Record<string, Icon>>;
  readonly aliases?: Readonly<Record<string, Alias>>;
  readonly chars: Readonly<Record<string, string>>;
  readonly width?: number;
  readonly height?: number;
}

const packages = createRequire(import.meta.url);

/** Reads a JSON file of an installed package. */
export async function readPackageJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(packages.resolve(path), "utf8"));
}

/** Reads the drawings of one team. Tens of megabytes: drop it after use. */
export async function readIconSet(style: Style): Promise<IconSet> {
  const icons = (await readPackageJson(`@iconify-json/${style}/icons.json`)) as Omit<IconSet, "chars">;
  const chars = (await readPackageJson(`@iconify-json/${style}/chars.json`)) as IconSet["chars"];
  return { ...icons, chars };
}

/** Reads who drew the pictures of a style, under which licence and in which version. */
export async function readArtSource(style: Style): Promise<ArtSource> {
  const name = `@iconify-json/${style}`;
  const info = (await readPackageJson(`${name}/info.json`)) as {
    readonly author: { readonly name: string; readonly url?: string };
    readonly license: { readonly spdx: string };
  };
  const manifest = (await readPackageJson(`${name}/package.json`)) as { readonly version: string };
  return {
    style,
    package: name,
    version: manifest.version,
    license: info.license.spdx,
    author: info.author.name,
    url: info.author.url ?? "",
  };
}

/** The drawing of an emoji as an SVG document, or null where this team did not draw it upright. */
export function findDrawing(set: IconSet, emoji: Emoji): string | null {
  const code = emoji.hexcode.toLowerCase();
  let name = set.chars[code] ?? set.chars[code.replaceAll("-fe0f", "")] ?? slug(emoji.label);
  for (let depth = 0; depth < 4; depth++) {
    const alias = set.aliases?.[name];
    if (alias === undefined) break;
    if (alias.hFlip === true || alias.vFlip === true || (alias.rotate ?? 0) !== 0) return null;
    name = alias.parent;
  }
  const icon = set.icons[name];
  if (icon === undefined) return null;
  const { left = 0, top = 0, width = set.width ?? 16, height = set.height ?? 16 } = icon;
  const viewBox = `${left} ${top} ${width} ${height}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="${viewBox}">${icon.body}</svg>`;
}

/** A label as the icon sets spell it: `black cat` is `black-cat`. */
function slug(label: string): string {
  return label
    .toLowerCase()
    .replaceAll(/[’':!,.“”()&-]/g, " ")
    .trim()
    .replaceAll(/\s+/g, "-");
}

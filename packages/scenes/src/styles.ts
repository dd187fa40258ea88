/** The six teams of artists, by the name of their package `@iconify-json/<name>`. */
export const STYLES = [
  "twemoji",
  "noto",
  "fluent-emoji-flat",
  "fluent-emoji",
  "emojione",
  "openmoji",
] as const;

/** One of {@link STYLES}. */
export type Style = (typeof STYLES)[number];

/** Version and licence of a style's package. */
export interface ArtSource {
  readonly style: Style;
  readonly package: string;
  readonly version: string;
  /** SPDX name. */
  readonly license: string;
  readonly url: string;
  readonly author: string;
}

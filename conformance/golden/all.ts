import { ggufFamily } from "./gguf.js";
import { imageFamily } from "./images.js";
import { type GoldenSettings, main } from "./main.js";

/** Where and on what to run, and where files lie that are no part of the repository. */
export interface AllSettings extends Omit<GoldenSettings, "families"> {
  /** Where the files that `gguf/` speaks of lie; scripts/fetch-gguf.mjs puts them there. */
  readonly ggufFolder: string;
}

/** {@link main} with the families that decode pictures and read large files as well. */
export function mainOfAll({ ggufFolder, ...settings }: AllSettings): ReturnType<typeof main> {
  const families = {
    images: imageFamily,
    gguf: (folder: string) => ggufFamily(folder, ggufFolder),
  };
  return main({ ...settings, families });
}

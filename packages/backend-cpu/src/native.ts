import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { BasicError } from "@basic-mllm/core";

import type { NativeBindings } from "./bindings.js";

let loaded: NativeBindings | undefined;

/** The native addon. Loads it on the first call; throws `E_BACKEND_START` when it is not built. */
export function native(): NativeBindings {
  loaded ??= loadNative(findPackageRoot());
  return loaded;
}

/**
 * Which instructions of this processor the kernels use.
 *
 * @returns `baseline`, `avx2` or `avx512`.
 * @throws BasicError `E_BACKEND_START` when the native addon is missing.
 */
export function instructionSet(): string {
  return native().instructionSet();
}

/** Loads the addon of this platform from the folder `root`. */
export function loadNative(root: string): NativeBindings {
  const file = path.join(root, `basic-mllm-cpu.${process.platform}-${process.arch}.node`);
  if (!existsSync(file)) {
    throw new BasicError(
      "E_BACKEND_START",
      `The CPU backend has no native addon for ${process.platform}-${process.arch}: expected ${file}. ` +
        `Build it with \`npm run build:native\` in ${root} (needs Rust 1.89 or later, https://rustup.rs).`,
    );
  }
  try {
    return createRequire(import.meta.url)(file) as NativeBindings;
  } catch (cause) {
    throw new BasicError(
      "E_BACKEND_START",
      `The native addon ${file} does not load: ${String(cause)}. ` +
        `Delete it and build it again with \`npm run build:native\` in ${root}.`,
      { cause },
    );
  }
}

/** The folder of package.json: one above both src and dist. */
function findPackageRoot(): string {
  return path.dirname(path.dirname(fileURLToPath(import.meta.url)));
}

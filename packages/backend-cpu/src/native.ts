import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { BasicError } from "@basic-mllm/core";

import type { NativeBindings } from "./bindings.js";

let loaded: NativeBindings | undefined;

/** The native addon. Loads it on the first call; throws `E_BACKEND_START` when there is none. */
export function native(): NativeBindings {
  loaded ??= loadNative(packageRoot());
  return loaded;
}

/**
 * The addon of this platform: the one built in the folder `root`, else the platform's package.
 *
 * @throws BasicError `E_BACKEND_START` when there is neither, or it does not load.
 */
export function loadNative(root: string): NativeBindings {
  const file = path.join(root, `basic-mllm-cpu.${process.platform}-${process.arch}.node`);
  if (!existsSync(file)) return loadPackage(root);
  try {
    return createRequire(file)(file) as NativeBindings;
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
export function packageRoot(): string {
  return path.dirname(path.dirname(fileURLToPath(import.meta.url)));
}

/** Whether somebody built an addon in `root`. */
export function isBuilt(root: string): boolean {
  return existsSync(path.join(root, `basic-mllm-cpu.${process.platform}-${process.arch}.node`));
}

function loadPackage(root: string): NativeBindings {
  const name = platformPackage();
  try {
    return createRequire(path.join(root, "package.json"))(name) as NativeBindings;
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "MODULE_NOT_FOUND";
    throw new BasicError(
      "E_BACKEND_START",
      `${name} ${missing ? "is not installed" : `does not load: ${String(cause)}`}. Install it with ` +
        `\`npm install ${name}\`, or build it with \`npm run build:native\` in ${root} ` +
        "(needs Rust 1.89 or later, https://rustup.rs).",
      { cause },
    );
  }
}

/** Name of the package with this platform's addon. Not every platform has one. */
export function platformPackage(): string {
  const { platform, arch } = process;
  const libc = platform !== "linux" ? "" : hasGlibc() ? "-gnu" : "-musl";
  return `@basic-mllm/backend-cpu-${platform}-${arch}${libc}`;
}

function hasGlibc(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime !== undefined;
}

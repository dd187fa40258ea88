import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { BasicError } from "@basic-mllm/core";

import type { NativeBindings } from "./bindings.js";
import { kernelError } from "./kernel-error.js";
import { isBuilt, loadNative, packageRoot } from "./native.js";
import type { Engine, EngineName } from "./run.js";

/** What the package of the WebAssembly kernels exports. */
interface WasmPackage {
  readonly open: (threads: number, createError: typeof kernelError) => Promise<NativeBindings>;
}

const WASM_PACKAGE = "@basic-mllm/backend-cpu-wasm32";

/** The engine that is asked for: the option, else `BASIC_MLLM_ENGINE`. */
export function resolveEngine(option: string | undefined): EngineName | undefined {
  const { BASIC_MLLM_ENGINE: variable } = process.env;
  const given = option ?? (variable === "" ? undefined : variable);
  if (given === undefined || given === "native" || given === "wasm") return given;
  const source = option === undefined ? "the environment variable BASIC_MLLM_ENGINE" : "the option `engine`";
  throw new BasicError(
    "E_BACKEND_START",
    `The CPU backend runs as "native" or "wasm", but ${source} is ${JSON.stringify(given)}. ` +
      "Leave it out to use native kernels, and WebAssembly only where there are none.",
  );
}

/**
 * Loads the kernels. Without `wanted`: native ones, and WebAssembly where this platform has none.
 *
 * @throws BasicError `E_BACKEND_START` when what is wanted, or both, cannot be loaded.
 */
export async function openEngine(
  wanted: EngineName | undefined,
  threads: number,
  root: string = packageRoot(),
): Promise<Engine> {
  if (wanted === "wasm") return { name: "wasm", bindings: await openWasm(root, threads) };
  try {
    return { name: "native", bindings: loadNative(root) };
  } catch (error) {
    // A build of one's own that does not load is to be repaired, not avoided.
    if (wanted === "native" || isBuilt(root)) throw error;
    return openInstead(error as BasicError, root, threads);
  }
}

async function openInstead(noNative: BasicError, root: string, threads: number): Promise<Engine> {
  const reason = textOf(noNative);
  try {
    return { name: "wasm", bindings: await openWasm(root, threads), reason };
  } catch (noWasm) {
    throw new BasicError(
      "E_BACKEND_START",
      `The CPU backend has no kernels here. Native: ${reason} WebAssembly: ${textOf(noWasm as BasicError)}`,
      { cause: noWasm },
    );
  }
}

async function openWasm(root: string, threads: number): Promise<NativeBindings> {
  const built = path.join(root, "wasm", "index.mjs");
  const isLocal = existsSync(built);
  try {
    const file = isLocal ? built : createRequire(path.join(root, "package.json")).resolve(WASM_PACKAGE);
    const { open } = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as WasmPackage;
    return await open(threads, kernelError);
  } catch (cause) {
    const missing = (cause as { code?: unknown }).code === "MODULE_NOT_FOUND";
    throw new BasicError(
      "E_BACKEND_START",
      `${isLocal ? built : WASM_PACKAGE} ${missing ? "is not installed" : `does not load: ${String(cause)}`}. Install it with ` +
        `\`npm install ${WASM_PACKAGE}\`, or build it with \`npm run build:wasm\` in ${root}.`,
      { cause },
    );
  }
}

/** The message without its code, which the new error adds again. */
function textOf({ message, code }: BasicError): string {
  return message.replace(` [${code}]`, "");
}

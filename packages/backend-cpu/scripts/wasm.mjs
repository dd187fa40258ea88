// The kernels as WebAssembly with threads, and the JavaScript that loads them.
import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { build } from "esbuild";

import { addTarget, buildUnlessCurrent, cargoBuild, native, root } from "./cargo.mjs";

const TARGET = "wasm32-wasip1-threads";

/** Builds wasm/, unless it is that of its sources; gives the folder. */
export async function buildWasm(args = []) {
  const folder = path.join(root, "wasm");
  const library = path.join(folder, "basic-mllm-cpu.wasm");
  const sources = [path.join(root, "src", "wasm"), import.meta.filename];
  await buildUnlessCurrent(library, sources, () => buildInto(folder, library, args));
  return folder;
}

async function buildInto(folder, library, args) {
  addTarget(TARGET);
  cargoBuild(["--target", TARGET, ...args], {
    EMNAPI_LINK_DIR: emnapiArchives(),
    CARGO_TARGET_WASM32_WASIP1_THREADS_RUSTFLAGS: "-C target-feature=+simd128",
  });
  mkdirSync(folder, { recursive: true });
  await bundle(folder);
  copyFileSync(path.join(native, "target", TARGET, "release", "basic_mllm_cpu.wasm"), library);
}

/** Folder of the archive that connects Node-API calls with JavaScript. */
function emnapiArchives() {
  const manifest = createRequire(import.meta.url).resolve("emnapi/package.json");
  return path.join(path.dirname(manifest), "lib", TARGET);
}

async function bundle(outdir) {
  await build({
    entryPoints: ["index", "worker"].map((name) => path.join(root, "src", "wasm", `${name}.ts`)),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    legalComments: "inline",
    external: ["node:*"],
    logLevel: "warning",
  });
}

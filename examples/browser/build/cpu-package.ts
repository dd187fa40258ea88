import { existsSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Plugin } from "vite";

const PACKAGE = "@basic-mllm/backend-cpu-wasm32";
/** What `npm run build:wasm` of packages/backend-cpu makes. */
const FOLDER = fileURLToPath(new URL("../../../packages/backend-cpu/wasm/", import.meta.url));
const FILES = ["index.mjs", "worker.mjs", "basic-mllm-cpu.wasm"];
const TYPES: Readonly<Record<string, string>> = { ".mjs": "text/javascript", ".wasm": "application/wasm" };
/** Beside the page. Its three files find each other by their places, so that they are not bundled. */
const PLACE = "cpu/";

/** Puts the WebAssembly build of the CPU backend beside the page, as it is; `vite build --mode webgpu` does without. */
export function cpuPackage(): Plugin {
  let base = "/";
  let mode = "";
  return {
    name: "cpu-package",
    enforce: "pre",
    configResolved: (config) => {
      ({ base, mode } = config);
    },
    resolveId: (source) =>
      source === PACKAGE ? { id: `${base}${PLACE}index.mjs`, external: true } : undefined,
    generateBundle() {
      if (mode === "webgpu") return;
      if (!FILES.every((name) => existsSync(join(FOLDER, name)))) {
        this.error(
          "The CPU kernels are not built. Run `npm run build:wasm -w @basic-mllm/backend-cpu`, or build the page without them: `vite build --mode webgpu`.",
        );
      }
      for (const name of FILES) {
        this.emitFile({ type: "asset", fileName: PLACE + name, source: readFileSync(join(FOLDER, name)) });
      }
    },
    configureServer: ({ middlewares }) => {
      middlewares.use(`${base}${PLACE}`, ({ url = "" }, response, next) => {
        const name = basename(url.split("?")[0] ?? "");
        if (!FILES.includes(name)) return next();
        response.setHeader("Content-Type", TYPES[extname(name)] ?? "");
        response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
        response.end(readFileSync(join(FOLDER, name)));
      });
    },
  };
}

import { defaultClientConditions, defineConfig } from "vite";

import { cpuPackage } from "./build/cpu-package.js";
import { offline } from "./build/offline.js";

/** Shared memory, which the threads of the CPU backend need. The service worker adds them where a host does not. */
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  plugins: [cpuPackage(), offline()],
  // The packages as they are in this repository, built or not.
  resolve: { conditions: ["@basic-mllm/source", ...defaultClientConditions] },
  worker: { format: "es", plugins: () => [cpuPackage()] },
  build: { target: "es2022", sourcemap: false, assetsInlineLimit: 0, chunkSizeWarningLimit: 2000 },
  server: { headers: ISOLATED },
  preview: { headers: ISOLATED },
});

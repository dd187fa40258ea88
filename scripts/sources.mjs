// Runs a module of the TypeScript sources without a build, in this process.
import { createViteServer } from "vitest/node";

import { cudaSource } from "./cuda-source.mjs";
import { root } from "./steps.mjs";

/** Calls `use` with the module's exports, then closes the loader. */
export async function withSource(entry, use) {
  const conditions = ["@basic-mllm/source"];
  const server = await createViteServer({
    root,
    configFile: false,
    plugins: [cudaSource],
    appType: "custom",
    logLevel: "error",
    server: { middlewareMode: true, watch: null, hmr: false, ws: false },
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: ["node"] } },
    optimizeDeps: { noDiscovery: true },
  });
  try {
    return await use(await server.ssrLoadModule(entry));
  } finally {
    await server.close();
  }
}

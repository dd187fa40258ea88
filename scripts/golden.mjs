// npm run test:golden -- [family …]: our numbers against the recorded ones, driven by the index.json files.
// BASIC_MLLM_GOLDEN: folder of the families (default golden/). BASIC_MLLM_BACKEND: cpu (default), ..., or
// reference for tfjs's own cpu backend. Runs from the TypeScript sources; the last line is JSON.
import { join, resolve } from "node:path";

import { buildNative, install, root } from "./steps.mjs";

const backend = process.env.BASIC_MLLM_BACKEND ?? "cpu";
await install("stderr");
if (backend === "cpu") await buildNative("stderr");

const { withSource } = await import("./sources.mjs");
await withSource(join(root, "conformance/golden/main.ts"), async ({ main }) => {
  const { summary, failed } = await main({
    root: resolve(process.env.BASIC_MLLM_GOLDEN ?? join(root, "golden")),
    backend,
    wanted: process.argv.slice(2),
    log: (line) => console.log(line),
  });
  console.log(JSON.stringify(summary));
  process.exitCode = failed ? 1 : 0;
});

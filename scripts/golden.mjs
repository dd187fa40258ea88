// npm run test:golden -- [family …]: our numbers against the recorded ones, driven by the index.json files.
// BASIC_MLLM_GOLDEN: folder of the families (default golden/). BASIC_MLLM_BACKEND: cpu (default),
// webgpu (on SwiftShader, or the machine's own adapter with BASIC_MLLM_TEST_ADAPTER=hardware), cuda (on the emulator, or
// the machine's own GPU in the same way), or reference for tfjs's own cpu backend. Runs from the TypeScript sources; the last line is JSON.
import { join, resolve } from "node:path";

import { fetchGguf } from "./fetch-gguf.mjs";
import { buildNative, install, root } from "./steps.mjs";

const backend = process.env.BASIC_MLLM_BACKEND ?? "cpu";
const golden = resolve(process.env.BASIC_MLLM_GOLDEN ?? join(root, "golden"));
const wanted = process.argv.slice(2);
await install("stderr");
if (backend === "cpu") await buildNative("stderr");
if (wanted.length === 0 || wanted.includes("gguf")) await fetchGguf(golden, "stderr");

const { rerunWithAdapter } = await import("./adapter.mjs");
if (!(await rerunWithAdapter(backend))) await check();

async function check() {
  const { withSource } = await import("./sources.mjs");
  await withSource(join(root, "conformance/golden/all.ts"), async ({ mainOfAll }) => {
    const { summary, failed } = await mainOfAll({
      root: golden,
      ggufFolder: join(root, ".cache/gguf"),
      backend,
      wanted,
      log: (line) => console.log(line),
    });
    console.log(JSON.stringify(summary));
    process.exitCode = failed ? 1 : 0;
  });
}

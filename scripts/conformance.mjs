// npm run test:conformance -- --backend NAME: every contract, every case, forward and gradient.
// NAME: cpu (native, default), webgpu (on SwiftShader, or the machine's own adapter with BASIC_MLLM_TEST_ADAPTER=hardware)
// cuda (on the emulator, or the GPU of the machine with BASIC_MLLM_TEST_ADAPTER=hardware) or reference (tfjs's own cpu kernels). The last line is JSON.
import { join } from "node:path";

import { buildNative, install, root } from "./steps.mjs";

const at = process.argv.indexOf("--backend");
const backend = at < 0 ? "cpu" : process.argv[at + 1];
await install("stderr");
if (backend === "cpu") await buildNative("stderr");

const { rerunWithAdapter } = await import("./adapter.mjs");
if (!(await rerunWithAdapter(backend))) await check();

async function check() {
  const { withSource } = await import("./sources.mjs");
  const result = await withSource(join(root, "conformance/main.ts"), ({ main }) => main(backend));
  for (const { contract, title, messages } of result.failures) {
    console.log(`✖ ${contract}: ${title}\n${messages.map((message) => `    ${message}`).join("\n")}`);
  }
  const { failures: _, ...counts } = result;
  console.log(JSON.stringify(counts));
  process.exitCode = result.failed === 0 ? 0 : 1;
}

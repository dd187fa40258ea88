// npm run test:conformance -- --backend NAME [--contracts NAME,NAME]: every contract (or some), every case, forward and gradient.
// NAME: cpu (native, default), webgpu (on SwiftShader, or the machine's own adapter with BASIC_MLLM_TEST_ADAPTER=hardware),
// cuda (on the emulator, or the GPU of the machine with BASIC_MLLM_TEST_ADAPTER=hardware), tensorflow (references on tfjs-node, which
// scripts/build-tfjs-node.sh builds) or reference (tfjs's own cpu kernels). The last line is JSON.
import { join } from "node:path";

import { buildNative, install, root, valuesOf } from "./steps.mjs";

const args = process.argv.slice(2);
const backend = valuesOf("backend", args).at(-1) ?? "cpu";
const contracts = valuesOf("contracts", args).flatMap((names) => names.split(","));
await install("stderr");
if (backend === "cpu") await buildNative("stderr");

const { rerunWithAdapter } = await import("./adapter.mjs");
if (!(await rerunWithAdapter(backend))) await check();

async function check() {
  const { withSource } = await import("./sources.mjs");
  const result = await withSource(join(root, "conformance/main.ts"), ({ main }) => main(backend, contracts));
  for (const { contract, title, messages } of result.failures) {
    console.log(`✖ ${contract}: ${title}\n${messages.map((message) => `    ${message}`).join("\n")}`);
  }
  const { failures: _, ...counts } = result;
  console.log(JSON.stringify(counts));
  process.exitCode = result.failed === 0 ? 0 : 1;
}

// Every check on each instruction set of this CPU, and on WebAssembly, each in a process of its own.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

import { describe, it } from "vitest";

import { native } from "../src/native.js";
import { expectAllPassed, runSuite } from "./suite.js";

const BUILD_WASM = fileURLToPath(new URL("../scripts/build-wasm.mjs", import.meta.url));

describe("conformance, golden values and equal bits on 1, 2 and 4 threads", () => {
  it.each(native().instructionSets())("hold on %s", async (instructionSet) => {
    const result = await runSuite([], { BASIC_MLLM_ENGINE: "native", BASIC_MLLM_SIMD: instructionSet });
    expectAllPassed(result, `native kernels, ${instructionSet}`);
  });

  it("hold on WebAssembly", async () => {
    execFileSync(process.execPath, [BUILD_WASM], { stdio: "inherit" });
    expectAllPassed(await runSuite([], { BASIC_MLLM_ENGINE: "wasm" }), "WebAssembly kernels, simd128");
  });
});

// Conformance in headless Chromium, whose WebGPU is SwiftShader: the same cases and tolerances as in Node.
import { fileURLToPath } from "node:url";

import { allContracts } from "@basic-mllm/core";
import { build } from "esbuild";
import { expect, it } from "vitest";

import { runInBrowser } from "../../backend-cpu/test/chromium.js";
import { chromium, webgpuFlags } from "../scripts/chromium.mjs";

const cases = allContracts.reduce((sum, contract) => sum + contract.cases.length, 0);

it(`passes all ${cases} cases of ${allContracts.length} contracts in a browser, without a gap`, async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("browser-program.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["@basic-mllm/source"],
    external: ["vitest"],
    logLevel: "error",
  });
  const program = outputFiles[0]?.text ?? "";
  const browser = { ...chromium(), flags: webgpuFlags() };
  const result = await runInBrowser((url) => (url === "/program.mjs" ? program : undefined), { browser });
  expect(result).toEqual({
    backend: "basicwebgpu",
    device: expect.stringContaining("swiftshader"),
    contracts: allContracts.length,
    cases,
    passed: cases,
    failed: 0,
    gaps: 0,
    failures: [],
  });
});

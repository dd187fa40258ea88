// Conformance in headless Chromium, on a cross-origin isolated page, and what a page that is not isolated is told.
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { beforeAll, expect, it } from "vitest";

import { requireChromium, runInBrowser } from "./chromium.js";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const WASM_PACKAGE = "@basic-mllm/backend-cpu-wasm32";
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
let program = "";

beforeAll(async () => {
  requireChromium();
  execFileSync(process.execPath, [`${PACKAGE}scripts/build-wasm.mjs`], { stdio: "inherit" });
  const { outputFiles } = await build({
    entryPoints: [`${PACKAGE}test/browser-program.ts`],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions: ["@basic-mllm/source"],
    external: ["/wasm/*", "vitest"],
    alias: { [WASM_PACKAGE]: "/wasm/index.mjs" },
    logLevel: "error",
  });
  program = outputFiles[0]?.text ?? "";
}, 1_800_000);

/** The program in a Worker, with its WebAssembly. */
function run(headers: Readonly<Record<string, string>>): Promise<unknown> {
  return runInBrowser(
    (url) => {
      if (url === "/program.mjs") return program;
      return url.startsWith("/wasm/") ? readFile(path.join(PACKAGE, url)) : undefined;
    },
    { headers },
  );
}

it("passes conformance with two threads on a cross-origin isolated page", async () => {
  expect(await run(ISOLATED)).toMatchObject({
    device: "WebAssembly kernels, simd128, 2 threads",
    failed: 0,
    gaps: 0,
    failures: [],
    again: "basiccpu",
    refusal: expect.stringContaining("has 2 threads, but 3 are asked for"),
  });
});

it("says what is missing on a page that is not isolated", async () => {
  expect(await run({})).toMatchObject({
    error: expect.stringContaining("not cross-origin isolated"),
  });
});

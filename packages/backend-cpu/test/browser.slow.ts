// Conformance in headless Chromium, on a cross-origin isolated page, and what a page that is not isolated is told.
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";
import { beforeAll, expect, it } from "vitest";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const CHROMIUM = "/usr/bin/chromium";
const WASM_PACKAGE = "@basic-mllm/backend-cpu-wasm32";
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const TYPES: Readonly<Record<string, string>> = { ".mjs": "text/javascript", ".wasm": "application/wasm" };
/** Nothing that looks for other machines. */
const QUIET = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let program = "";

beforeAll(async () => {
  if (!existsSync(CHROMIUM)) {
    execFileSync("apt-get", ["update", "--quiet"], { stdio: "inherit" });
    execFileSync("apt-get", ["install", "--yes", "--quiet", "--no-install-recommends", "chromium"], {
      stdio: "inherit",
    });
  }
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

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** Serves a page that runs the program in a Worker; gives what that answers. */
async function runInBrowser(headers: Readonly<Record<string, string>>): Promise<unknown> {
  const profile = await mkdtemp(path.join(tmpdir(), "basic-mllm-chromium-"));
  let settle: (answer: unknown) => void = () => {};
  const answer = new Promise<unknown>((resolve) => {
    settle = resolve;
  });
  const files: Readonly<Record<string, string>> = {
    "/": '<script>new Worker("/program.mjs", { type: "module" })</script>',
    "/program.mjs": program,
  };
  const server = createServer(async (request, response) => {
    const { url = "/" } = request;
    if (url === "/result") settle(JSON.parse(await bodyOf(request)));
    const file = url.startsWith("/wasm/") ? readFile(path.join(PACKAGE, url)) : files[url];
    const type = TYPES[path.extname(url)] ?? "text/html";
    response.writeHead(file === undefined ? 404 : 200, { ...headers, "Content-Type": type });
    response.end(await file);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const browser = spawn(CHROMIUM, [...QUIET, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`], {
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => {
    browser.once("exit", resolve);
  });
  const early = ended.then((code) => ({ error: `the browser ended with ${code}` }));
  try {
    return await Promise.race([answer, early]);
  } finally {
    browser.kill();
    await ended;
    server.close();
    server.closeAllConnections();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

it("passes conformance with two threads on a cross-origin isolated page", async () => {
  expect(await runInBrowser(ISOLATED)).toMatchObject({
    device: "WebAssembly kernels, simd128, 2 threads",
    failed: 0,
    gaps: 0,
    failures: [],
    again: "basiccpu",
    refusal: expect.stringContaining("has 2 threads, but 3 are asked for"),
  });
});

it("says what is missing on a page that is not isolated", async () => {
  expect(await runInBrowser({})).toMatchObject({
    error: expect.stringContaining("not cross-origin isolated"),
  });
});

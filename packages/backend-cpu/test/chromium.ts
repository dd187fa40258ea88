// Headless Chromium for the slow lane: serves a page, and gives what it posts to /result.
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

/** A browser to start. */
export interface TestBrowser {
  readonly executablePath: string;
  /** Beside the environment of this process. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: readonly string[];
}

/** The system's, with its own graphics: those that the slow lane gives to Dawn are another build. */
const CHROMIUM: TestBrowser = {
  executablePath: "/usr/bin/chromium",
  env: { VK_ICD_FILENAMES: undefined, VK_DRIVER_FILES: undefined, LD_LIBRARY_PATH: undefined },
  flags: ["--disable-gpu"],
};
const TYPES: Readonly<Record<string, string>> = { ".mjs": "text/javascript", ".wasm": "application/wasm" };
/** Nothing that looks for other machines. */
const QUIET = [
  "--headless",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Installs Chromium where it is missing. */
export function requireChromium(): void {
  if (existsSync(CHROMIUM.executablePath)) return;
  execFileSync("apt-get", ["update", "--quiet"], { stdio: "inherit" });
  execFileSync("apt-get", ["install", "--yes", "--quiet", "--no-install-recommends", "chromium"], {
    stdio: "inherit",
  });
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** What a page asks for by its path; undefined for what there is not. */
export type PageFile = (url: string) => string | Uint8Array | Promise<string | Uint8Array> | undefined;

/** A page that runs `/program.mjs` in a worker. */
const WORKER_PAGE = '<script>new Worker("/program.mjs", { type: "module" })</script>';

/** How a page is served, and to which browser. */
export interface BrowserRun {
  /** Of every answer. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the system's Chromium. */
  readonly browser?: TestBrowser;
}

/** Serves a page and its files to a browser; gives what that posts to `/result`, parsed. */
export async function runInBrowser(
  fileOf: PageFile,
  { headers = {}, browser: { executablePath, env, flags } = CHROMIUM }: BrowserRun = {},
): Promise<unknown> {
  const profile = await mkdtemp(path.join(tmpdir(), "basic-mllm-chromium-"));
  let settle: (answer: unknown) => void = () => {};
  const answer = new Promise<unknown>((resolve) => {
    settle = resolve;
  });
  const server = createServer(async (request, response) => {
    const { url = "/" } = request;
    if (url === "/result") settle(JSON.parse(await bodyOf(request)));
    const file = url === "/" ? WORKER_PAGE : fileOf(url);
    const type = TYPES[path.extname(url)] ?? "text/html";
    response.writeHead(file === undefined ? 404 : 200, { ...headers, "Content-Type": type });
    response.end(await file);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const args = [...QUIET, ...flags, `--user-data-dir=${profile}`, `http://127.0.0.1:${port}/`];
  const browser = spawn(executablePath, args, { stdio: "ignore", env: { ...process.env, ...env } });
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

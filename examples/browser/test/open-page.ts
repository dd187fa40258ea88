// The built page in a headless Chromium, whose WebGPU is SwiftShader.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { Safetensors } from "@basic-mllm/weights";
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from "playwright-core";
import { expect } from "vitest";

import { chromium, webgpuFlags } from "../../../packages/backend-webgpu/scripts/chromium.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What CI keeps: pictures of the page. The one in the README is a copy of page-webgpu.png. */
export const ARTIFACTS = join(ROOT, "artifacts");

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
};

/** A built page and its host. */
export interface ServedPage {
  readonly url: string;
  readonly folder: string;
  close(): Promise<void>;
}

/** Builds the page as `vite build` does, and serves it. @param mode - `webgpu`: without the CPU kernels. */
export async function buildAndServe(mode: "production" | "webgpu"): Promise<ServedPage> {
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-page-"));
  const env = { ...process.env, NODE_ENV: "production" };
  const options = ["--mode", mode, "--outDir", folder, "--emptyOutDir", "--logLevel", "error"];
  execFileSync("npx", ["vite", "build", ...options], { cwd: ROOT, env, stdio: "inherit" });
  const { url, close } = await serve(folder);
  return {
    url,
    folder,
    close: async () => {
      close();
      await rm(folder, { recursive: true });
    },
  };
}

/** A host of plain files, which sends no headers for shared memory: the page's service worker has to. */
async function serve(folder: string): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer(async ({ url = "/" }, response) => {
    const path = normalize(new URL(url, "http://localhost").pathname);
    const file = join(folder, path === "/" ? "index.html" : path);
    const content = await readFile(file).catch(() => null);
    response.writeHead(content === null ? 404 : 200, {
      "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    });
    response.end(content);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close };
}

/** @param webgpu - Whether the browser has WebGPU, in software. */
export async function startBrowser(webgpu: boolean): Promise<Browser> {
  const own = webgpu ? webgpuFlags() : ["--disable-features=WebGPU"];
  const { executablePath, env } = chromium();
  return driver.launch({
    executablePath,
    headless: true,
    env: { ...process.env, ...env },
    args: ["--headless=new", "--no-sandbox", "--disable-background-networking", ...own],
  });
}

/** A page that is ready, and what went wrong in it so far. */
export interface OpenedPage {
  readonly page: Page;
  readonly problems: readonly string[];
}

/** Opens the page and waits for its pictures. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 1000 },
    // This Chromium names none of its own that scripts accept.
    locale: "en-US",
    ...options,
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  await page.goto(url);
  // The first visit reloads itself, to get its shared memory.
  await page.waitForFunction(
    () => crossOriginIsolated && document.querySelectorAll(".thumbnail").length === 4,
  );
  return { page, problems };
}

/** Begins a run. A trial is offered where the page's address asks for it. */
export async function startRun(
  page: Page,
  backend: "webgpu" | "cpu",
  length: "taste" | "trial" = "taste",
): Promise<void> {
  await page.check(`input[value=${backend}]`);
  await page.selectOption("select[name=length]", length);
  await page.click("#start");
}

/** Waits until the status has a text, and gives the whole. @throws Error with the text of a failure. */
export async function waitForStatus(page: Page, text: string, timeout = 900_000): Promise<string> {
  await page.waitForFunction(
    (wanted) => {
      const status = document.querySelector("#status");
      return status?.textContent?.includes(wanted) || status?.classList.contains("error");
    },
    text,
    { timeout },
  );
  const status = (await page.textContent("#status")) ?? "";
  if (!status.includes(text)) throw new Error(status);
  return status;
}

/** Waits until so many steps are done, in all stages. @throws Error with the text of a failure. */
export async function waitForStep(page: Page, step: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const failed = document.querySelector("#status")?.classList.contains("error");
      const done = [...document.querySelectorAll("progress")].reduce((sum, { value }) => sum + value, 0);
      return failed || done >= wanted;
    },
    step,
    { timeout: 900_000 },
  );
  if (await page.locator("#status.error").count()) throw new Error((await page.textContent("#status")) ?? "");
}

/** The loss that the page shows, once there is one. */
export async function shownLoss(page: Page): Promise<number> {
  await page.waitForFunction(() => document.querySelector("#loss")?.textContent !== "–", null, {
    timeout: 300_000,
  });
  return Number(await page.textContent("#loss"));
}

/** Asks a suggested question and waits for the answer. */
export async function askFirst(page: Page): Promise<string> {
  await page.click(".chip");
  await page.waitForSelector(".answers .answer:not(.waiting)", { timeout: 300_000 });
  const answer = page.locator(".answers .answer").first();
  const text = (await answer.textContent()) ?? "";
  if ((await answer.getAttribute("class"))?.includes("error")) throw new Error(text);
  return text;
}

/** Checks that the file which the page gives away holds a projector under LLaVA's names. */
export async function checkExport(page: Page): Promise<void> {
  const download = page.waitForEvent("download");
  await page.click("#export");
  const file = new Safetensors(new Uint8Array(readFileSync(await (await download).path())));
  expect(file.names).toEqual([
    "model.mm_projector.0.weight",
    "model.mm_projector.0.bias",
    "model.mm_projector.2.weight",
    "model.mm_projector.2.bias",
  ]);
  expect(JSON.parse(file.metadata["basic_projector"] ?? "")).toMatchObject({ name: "mlp2x_gelu" });
  for (const name of file.names) expect(file.floats(name).every(Number.isFinite)).toBe(true);
}

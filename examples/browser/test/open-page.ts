// The built page in a headless Chromium out of @sparticuz/chromium, whose WebGPU is SwiftShader.

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContextOptions, chromium as driver, type Page } from "playwright-core";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".webp": "image/webp",
};

/** A host of plain files, which sends no headers for shared memory: the page's service worker has to. */
export async function servePage(): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer(async ({ url = "/" }, response) => {
    const path = normalize(new URL(url, "http://localhost").pathname);
    const file = join(DIST, path === "/" ? "index.html" : path);
    const content = await readFile(file).catch(() => null);
    response.writeHead(content === null ? 404 : 200, {
      "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    });
    response.end(content);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
}

/** @param webgpu - Whether the browser has WebGPU, in software. */
export async function startBrowser(webgpu: boolean): Promise<Browser> {
  const own = webgpu
    ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    : ["--disable-features=WebGPU"];
  return driver.launch({
    executablePath: await chromium.executablePath(),
    headless: true,
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

/** Begins the shortest run. */
export async function startRun(page: Page, backend: "webgpu" | "cpu"): Promise<void> {
  await page.check(`input[value=${backend}]`);
  await page.selectOption("select[name=length]", "taste");
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

/** Waits until so many steps of the first stage are done. @throws Error with the text of a failure. */
export async function waitForStep(page: Page, step: number): Promise<void> {
  await page.waitForFunction(
    (wanted) => {
      const failed = document.querySelector("#status")?.classList.contains("error");
      return failed || (document.querySelector("progress")?.value ?? 0) >= wanted;
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

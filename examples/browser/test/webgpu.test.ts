// The page on WebGPU, trained to its end in a real browser: the recipe's both stages, in a size for software adapters.
import { readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";

import {
  ARTIFACTS,
  askFirst,
  buildAndServe,
  checkExport,
  openPage,
  type ServedPage,
  shownLoss,
  startBrowser,
  startRun,
  waitForStatus,
} from "./open-page.js";

/** Of all that the page runs without the CPU kernels: our packages, tfjs, tokenizers and charts. */
const SCRIPT_BUDGET = 400_000;

let served: ServedPage | undefined;
let browser: Browser | undefined;

beforeAll(async () => {
  await mkdir(ARTIFACTS, { recursive: true });
  served = await buildAndServe("webgpu");
  browser = await startBrowser(true);
}, 240_000);

afterAll(async () => {
  await browser?.close();
  await served?.close();
});

it("the page trains both stages on WebGPU, answers, and gives the projector away", async () => {
  if (browser === undefined || served === undefined) throw new Error("nothing was started");
  const { page, problems } = await openPage(browser, `${served.url}?trial`);
  expect(await page.isHidden("#no-webgpu")).toBe(true);
  expect(await page.textContent("#cpu-detail")).toBe("this page was built without the CPU kernels");
  await startRun(page, "webgpu", "trial");
  const first = await shownLoss(page);
  await waitForStatus(page, "Done: 8 steps");
  expect(await shownLoss(page)).toBeLessThan(first / 2);
  expect(await page.textContent("#accuracy")).toMatch(/^\d+ %$/);
  expect(await askFirst(page)).toMatch(/[a-z]/);
  expect(await page.locator("#words span").count()).toBe(16);
  await checkExport(page);
  await page.screenshot({ path: join(ARTIFACTS, "page-webgpu.png"), fullPage: true });
  expect(problems).toEqual([]);
}, 600_000);

it("the page's scripts stay within their size, gzipped", () => {
  const assets = join(served?.folder ?? "", "assets");
  const scripts = readdirSync(assets).filter((name) => name.endsWith(".js"));
  // The page's own, the worker's, and the backend's, at least.
  expect(scripts.length).toBeGreaterThan(2);
  const sizes = scripts.map((name) => gzipSync(readFileSync(join(assets, name)), { level: 9 }).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(SCRIPT_BUDGET);
});

// The page as it is built, trained in a real browser.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

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
  waitForStep,
} from "./open-page.js";

const WASM = fileURLToPath(new URL("../../../packages/backend-cpu/scripts/build-wasm.mjs", import.meta.url));

let url = "";
let served: ServedPage | undefined;

beforeAll(async () => {
  execFileSync(process.execPath, [WASM], { stdio: "inherit" });
  await mkdir(ARTIFACTS, { recursive: true });
  served = await buildAndServe("production");
  ({ url } = served);
}, 1_800_000);

afterAll(() => served?.close());

describe("the page on the CPU", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser(false);
  });
  afterAll(() => browser.close());

  it("trains both stages, answers, and gives the projector away", async () => {
    const { page, problems } = await openPage(browser, url);
    await startRun(page, "cpu");
    const first = await shownLoss(page);
    await waitForStatus(page, "Done: 40 steps");
    expect(await shownLoss(page)).toBeLessThan(first / 2);
    expect(await page.textContent("#accuracy")).toMatch(/^\d+ %$/);
    expect(await askFirst(page)).toMatch(/[a-z]/);
    await checkExport(page);
    await page.screenshot({ path: join(ARTIFACTS, "page-cpu.png"), fullPage: true });
    expect(problems).toEqual([]);
  });

  it("pauses between two steps, answers meanwhile, and goes on", async () => {
    const { page, problems } = await openPage(browser, url);
    await startRun(page, "cpu");
    await shownLoss(page);
    await page.click("#pause");
    const status = await waitForStatus(page, "Paused after step");
    expect(Number(/step (\d+)/.exec(status)?.[1])).toBeLessThan(40);
    expect(await askFirst(page)).toMatch(/[a-z]/);
    await page.click("#pause");
    await waitForStatus(page, "Done: 40 steps");
    expect(problems).toEqual([]);
  });
});

/** In software a step takes seconds, so that the recipe's batches are not waited for to their end. */
describe("the page on WebGPU", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser(true);
  });
  afterAll(() => browser.close());

  it("trains on the recipe's batches, pauses and answers", async () => {
    const { page, problems } = await openPage(browser, url, { colorScheme: "dark" });
    await startRun(page, "webgpu");
    const first = await shownLoss(page);
    await waitForStep(page, 8);
    expect(await shownLoss(page)).toBeLessThan(0.7 * first);
    await page.click("#pause");
    await waitForStatus(page, "Paused after step");
    expect(await askFirst(page)).toMatch(/[a-z]/);
    await page.screenshot({ path: join(ARTIFACTS, "page-webgpu-dark.png"), fullPage: true });
    expect(problems).toEqual([]);
  });

  it("says that the device was lost, and goes on from the last checkpoint to the end", async () => {
    const { page } = await openPage(browser, `${url}?trial`);
    await startRun(page, "webgpu", "trial");
    await waitForStep(page, 6);
    await page.click("#lose-device");
    const lost = "The GPU device was lost. Training goes on from the checkpoint at step 4, on a new device.";
    await waitForStatus(page, `${lost} Training projector`);
    await waitForStatus(page, "Done: 8 steps");
    expect(await page.locator("#stages small").allTextContents()).toEqual(["4 / 4", "4 / 4"]);
    expect(await askFirst(page)).toMatch(/[a-z]/);
  });

  it("answers a question that finds the device lost during a pause, after going on by itself", async () => {
    const { page } = await openPage(browser, `${url}?trial`);
    await startRun(page, "webgpu", "trial");
    expect(await page.isDisabled("#pause")).toBe(true);
    await waitForStep(page, 5);
    await page.click("#pause");
    await waitForStatus(page, "Paused after step");
    await page.click("#lose-device");
    expect(await askFirst(page)).toMatch(/[a-z]/);
    await waitForStatus(page, "Done: 8 steps");
  });
});

describe("a browser without WebGPU", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser(false);
  });
  afterAll(() => browser.close());

  it("is told so and offered the CPU, and nothing is chosen for the visitor", async () => {
    const { page } = await openPage(browser, url);
    await page.waitForSelector("#no-webgpu:visible");
    expect(await page.textContent("#no-webgpu")).toContain(
      "The same training runs on the CPU: choose it below.",
    );
    expect(await page.isChecked("input[value=cpu]")).toBe(false);
    expect(await page.isDisabled("#start")).toBe(true);
    await page.check("input[value=cpu]");
    expect(await page.isDisabled("#start")).toBe(false);
  });

  it("draws the visitor's scenes and opens their pictures, and says which files are none", async () => {
    const { page, problems } = await openPage(browser, url);
    await page.click("summary");
    await page.selectOption("select[name=concept]", { label: "cat" });
    await page.selectOption("select[name=cell]", { label: "bottomright" });
    await page.click("#builder button");
    await page.waitForFunction(() => document.querySelectorAll(".thumbnail").length === 5);
    expect(await page.textContent("#caption")).toBe("cat bottomright, on white");
    const picture = { name: "mine.png", mimeType: "image/png", buffer: readFileSync(ownPicture()) };
    await page.setInputFiles("#file", picture);
    await page.waitForFunction(() => document.querySelectorAll(".thumbnail").length === 6);
    await page.setInputFiles("#file", { ...picture, buffer: Buffer.from("no picture") });
    expect(await waitForStatus(page, "expected a PNG, JPEG").catch(String)).toContain('image "mine.png"');
    expect(problems).toEqual([]);
  });

  it("works without a network after the first visit", async () => {
    const { page, problems } = await openPage(browser, url);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.context().setOffline(true);
    await page.reload();
    await page.waitForFunction(() => document.querySelectorAll(".thumbnail").length === 4);
    await startRun(page, "cpu");
    expect(await shownLoss(page)).toBeGreaterThan(0);
    expect(problems).toEqual([]);
  });
});

function ownPicture(): string {
  return fileURLToPath(new URL("../../recipes/pictures/blue-circle.png", import.meta.url));
}

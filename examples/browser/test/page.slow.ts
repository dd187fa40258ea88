// The page as it is built, trained in a real browser.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type { Server } from "node:http";
import { fileURLToPath } from "node:url";

import { Safetensors } from "@basic-mllm/weights";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  askFirst,
  openPage,
  servePage,
  shownLoss,
  startBrowser,
  startRun,
  waitForStatus,
  waitForStep,
} from "./open-page.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What CI keeps. The picture in the README is a copy of page-cpu.png. */
const ARTIFACTS = `${ROOT}artifacts`;
const WASM = fileURLToPath(new URL("../../../packages/backend-cpu/scripts/build-wasm.mjs", import.meta.url));

let url = "";
let server: Server | undefined;

beforeAll(async () => {
  execFileSync(process.execPath, [WASM], { stdio: "inherit" });
  const env = { ...process.env, NODE_ENV: "production" };
  execFileSync("npx", ["vite", "build", "--logLevel", "error"], { cwd: ROOT, env, stdio: "inherit" });
  await mkdir(ARTIFACTS, { recursive: true });
  ({ url, server } = await servePage());
}, 1_800_000);

afterAll(() => {
  server?.close();
  server?.closeAllConnections();
});

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
    await page.screenshot({ path: `${ARTIFACTS}/page-cpu.png`, fullPage: true });
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

/** In software a step takes seconds, so that the runs are not waited for to their end. */
describe("the page on WebGPU", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser(true);
  });
  afterAll(() => browser.close());

  it("trains, answers, and gives the projector away", async () => {
    const { page, problems } = await openPage(browser, url, { colorScheme: "dark" });
    expect(await page.isHidden("#no-webgpu")).toBe(true);
    await startRun(page, "webgpu");
    const first = await shownLoss(page);
    await waitForStep(page, 8);
    expect(await shownLoss(page)).toBeLessThan(0.7 * first);
    await page.click("#pause");
    await waitForStatus(page, "Paused after step");
    expect(await askFirst(page)).toMatch(/[a-z]/);
    expect(await page.locator("#words span").count()).toBe(16);
    await checkExport(page);
    await page.screenshot({ path: `${ARTIFACTS}/page-webgpu.png`, fullPage: true });
    expect(problems).toEqual([]);
  });

  it("says that the device was lost, and goes on from the last checkpoint", async () => {
    const { page } = await openPage(browser, url);
    await startRun(page, "webgpu");
    await waitForStep(page, 6);
    await page.click("#lose-device");
    expect(await waitForStatus(page, "Training projector")).toContain(
      "The GPU device was lost. Training goes on from the checkpoint at step 5, on a new device.",
    );
    await waitForStep(page, 7);
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

/** The file that the page gives away holds a projector under LLaVA's names. */
async function checkExport(page: Page): Promise<void> {
  const download = page.waitForEvent("download");
  await page.click("#export");
  const file = new Safetensors(new Uint8Array(readFileSync(await (await download).path())));
  expect(file.names).toEqual([
    "model.mm_projector.0.weight",
    "model.mm_projector.0.bias",
    "model.mm_projector.2.weight",
    "model.mm_projector.2.bias",
  ]);
  for (const name of file.names) expect(file.floats(name).every(Number.isFinite)).toBe(true);
}

function ownPicture(): string {
  return fileURLToPath(new URL("../../recipes/pictures/blue-circle.png", import.meta.url));
}

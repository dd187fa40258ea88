// Pictures that threads open: the same run, whatever their number.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBackend } from "@basic-mllm/core";
import type { ImagePoolOptions } from "@basic-mllm/data";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";

import { workerProgram } from "../../data/test/worker-program.js";
import { openPictureThreads } from "../src/session/picture-threads.js";
import { writeMiniTask } from "./mini.js";
import { cli } from "./run-cli.js";

const started: number[] = [];
let worker: Awaited<ReturnType<typeof workerProgram>>;
vi.mock("@basic-mllm/data", async (original) => {
  const data = await original<typeof import("@basic-mllm/data")>();
  const createImagePool = (options: ImagePoolOptions) => {
    started.push(options.threads ?? 0);
    return data.createImagePool({ ...options, program: worker.program });
  };
  return { ...data, createImagePool };
});

let folder: string;
let recipe: string;
beforeAll(async () => {
  worker = await workerProgram();
  folder = await mkdtemp(join(tmpdir(), "basic-mllm-cli-"));
  recipe = await writeMiniTask(folder, { features: { standardise: false }, evaluation: { blind: false } });
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await worker.remove();
});
beforeEach(() => {
  started.length = 0;
  vi.stubEnv("BASIC_MLLM_THREADS", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** Losses and metrics of a run with its own cache. */
async function run(name: string, more: readonly string[]): Promise<unknown> {
  vi.stubEnv("BASIC_MLLM_CACHE", join(folder, `cache-${name}`));
  const out = join(folder, name);
  const { code, out: text } = await cli(["train", recipe, "--out", out, "--no-report", ...more]);
  if (code !== 0) throw new Error(text);
  const lines = (await readFile(join(out, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  return lines.map((line) => {
    const { tokensPerSecond, stepMs, ...rest } = JSON.parse(line);
    return rest;
  });
}

it.each([
  ["features", []],
  ["pixels", ["--set", "features.cache=false"]],
])(
  "trains on the same %s with any number of threads",
  async (name, more) => {
    const own = await run(`${name}-0`, more);
    expect(started).toEqual([]);
    expect(await run(`${name}-2`, [...more, "--workers", "2"])).toEqual(own);
    expect(await run(`${name}-1`, [...more, "--set", "data.workers=1"])).toEqual(own);
    expect(await run(`${name}-none`, [...more, "--set", "data.workers=1", "--workers", "0"])).toEqual(own);
    expect(started).toEqual([2, 1]);
  },
  240_000,
);

it("names a picture that a thread cannot open", async () => {
  vi.stubEnv("BASIC_MLLM_CACHE", join(folder, "cache-broken"));
  const broken = await writeMiniTask(await mkdtemp(join(folder, "broken-")), {
    features: { standardise: false },
  });
  const picture = join(broken, "../pictures/red.png");
  await rm(picture);
  await (await import("node:fs/promises")).writeFile(picture, "no picture");
  const { code, out } = await cli(["train", broken, "--out", join(folder, "none"), "--workers", "1"]);
  expect([code, out.replaceAll(folder, "…")]).toEqual([
    1,
    expect.stringMatching(/error image "\S*red\.png": expected a PNG, .*\[E_IMAGE\]/),
  ]);
});

it("refuses a number of threads that is none", async () => {
  const { code, out } = await cli(["train", recipe, "--workers", "-1"]);
  expect([code, out]).toEqual([
    2,
    expect.stringContaining('--workers must be a whole number of at least 0, got "-1". [E_USAGE]'),
  ]);
});

it("refuses more threads than a recipe may ask for, and threads for a task without pictures", async () => {
  const refused = async (name: string, count: string): Promise<string> => {
    const { code, out } = await cli(["train", name, "--out", join(folder, "none"), "--workers", count]);
    expect(code).toBe(2);
    return out;
  };
  expect(await refused(recipe, "65")).toMatch(/expected number to be <=64, got 65\s+→ at data\.workers/);
  expect(await refused("tiny-lm", "2")).toMatch(/Only multimodal .*\s+→ at data\.workers/);
});

it("starts no threads where a run is opened without data", async () => {
  await run("chat", ["--set", "features.cache=false", "--set", "data.workers=1"]);
  started.length = 0;
  const image = join(folder, "pictures/red.png");
  const asked = ["--image", image, "--question", "what color is this ?"];
  const { code, out, err } = await cli(["chat", join(folder, "chat"), ...asked]);
  expect(code, out + err).toBe(0);
  expect(started).toEqual([]);
});

it("ends its threads where a run cannot be opened", async () => {
  const { threads } = await startBackend("cpu");
  const all = threads?.count() ?? 0;
  try {
    threads?.set(2);
    // Refused when losses are made, which is last.
    const bad = [
      "--set",
      "features.cache=false",
      "--set",
      "stages.finetune.losses.direction.options.nope=1",
      "--workers",
      "1",
    ];
    const { code, out } = await cli(["train", recipe, "--out", join(folder, "none"), ...bad]);
    expect([code, out]).toEqual([2, expect.stringContaining("E_RECIPE_INVALID")]);
    expect(started).toEqual([1]);
    expect(threads?.count()).toBe(2);
  } finally {
    threads?.set(all);
  }
});

it("takes threads of the kernels, leaves one, and gives them back", async () => {
  const { threads } = await startBackend("cpu");
  const all = threads?.count() ?? 0;
  const context = { recipe: { backend: "cpu", data: {} } } as Parameters<typeof openPictureThreads>[0];
  try {
    threads?.set(4);
    const two = await openPictureThreads({ ...context, workers: 2 });
    expect(threads?.count()).toBe(2);
    two?.close();
    two?.close();
    expect(threads?.count()).toBe(4);
    const many = await openPictureThreads({ ...context, workers: 9 });
    expect(threads?.count()).toBe(1);
    many?.close();
    vi.stubEnv("BASIC_MLLM_THREADS", "4");
    const chosen = await openPictureThreads({ ...context, workers: 2 });
    expect(threads?.count()).toBe(4);
    chosen?.close();
    expect(await openPictureThreads({ ...context, workers: 0 })).toBeNull();
  } finally {
    threads?.set(all);
  }
});

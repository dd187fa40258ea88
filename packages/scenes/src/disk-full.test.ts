import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { plainSheet } from "../test/sheet.js";
import { buildScenes } from "./build.js";
import { loadSprites } from "./sprites.js";

const disk = vi.hoisted(() => ({ isFull: (_path: string): boolean => false }));

vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof import("node:fs/promises")>();
  return {
    ...real,
    writeFile: async (path: string, content: string) => {
      if (!disk.isFull(path)) return real.writeFile(path, content);
      await real.writeFile(path, "");
      throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    },
  };
});

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "scenes-full-"));
});
afterEach(async () => {
  disk.isFull = () => false;
  await rm(folder, { recursive: true, force: true });
});

async function errorOf(promise: Promise<unknown>): Promise<string> {
  const text = await promise.then(
    () => "no error",
    (error: unknown) => String(error),
  );
  return text.replaceAll(folder, "FOLDER").replaceAll(tmpdir(), "TMP");
}

describe("a full disk", () => {
  it.each([".png", "stage2.json.part", "tokenizer.json", "manifest.json.part"])(
    "stops the pictures at %s with a way out, and they are built again afterwards",
    async (ending) => {
      const target = { sheet: plainSheet(), options: { train1: 1, train2: 1, test: 1 } };
      disk.isFull = (path) => path.endsWith(ending);
      expect(await errorOf(buildScenes(folder, target))).toBe(
        "BasicError: The disk is full: the pictures could not all be written to FOLDER. Make space and build them again, or give a folder on another disk. [E_DISK_FULL]",
      );
      disk.isFull = () => false;
      expect((await buildScenes(folder, target)).sets).toHaveProperty("stage2");
    },
  );

  it.each(["jobs.jsonl", "cache/"])("stops the drawings at %s and leaves no half file", async (place) => {
    const cacheFolder = join(folder, "cache");
    disk.isFull = (path) => path.includes(place);
    expect(await errorOf(loadSprites({ cacheFolder, labels: ["lion"] }))).toBe(
      "BasicError: The disk is full: the drawings could not be written to FOLDER/cache (from TMP). Make space and run the command again, or set BASIC_MLLM_CACHE and TMPDIR to folders on another disk. [E_DISK_FULL]",
    );
    expect(existsSync(cacheFolder) ? await readdir(cacheFolder) : []).toEqual([]);
  });

  it.runIf(existsSync("/dev/full"))(
    "ends the drawing process, which would else leave drawings out",
    async () => {
      const jobs = join(folder, "jobs.jsonl");
      await writeFile(
        jobs,
        JSON.stringify(['<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>']),
      );
      const script = fileURLToPath(new URL("rasterize-child.mjs", import.meta.url));
      const { status, stdout } = spawnSync(process.execPath, [
        script,
        jobs,
        "/dev/full",
        "0",
        "1",
        "24",
        "32",
      ]);
      expect([status, String(stdout)]).toEqual([1, expect.stringMatching(/^0\nstop ENOSPC .+\n$/)]);
    },
  );
});

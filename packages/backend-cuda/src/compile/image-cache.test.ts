import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { defaultImageFolder, ImageCache, keyOf } from "./image-cache.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "images-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  vi.unstubAllEnvs();
});

describe("the image cache", () => {
  it("gives back what was written, and leaves no other file", () => {
    const cache = new ImageCache(join(folder, "deep/er"));
    expect(cache.read("a.ptx")).toBeUndefined();
    cache.write("a.ptx", Uint8Array.of(1, 2, 3));
    expect([...(cache.read("a.ptx") ?? [])]).toEqual([1, 2, 3]);
    expect(readdirSync(join(folder, "deep/er"))).toEqual(["a.ptx"]);
    cache.remove("a.ptx");
    expect(cache.read("a.ptx")).toBeUndefined();
  });

  it("does not give a damaged image", () => {
    const cache = new ImageCache(folder);
    cache.write("a", Uint8Array.of(1, 2, 3));
    const file = join(folder, "a");
    const bytes = readFileSync(file);
    bytes[33] = 9;
    writeFileSync(file, bytes);
    expect(cache.read("a")).toBeUndefined();
    writeFileSync(file, bytes.subarray(0, 10));
    expect(cache.read("a")).toBeUndefined();
  });

  it("says why an image could not be kept", () => {
    writeFileSync(join(folder, "file"), "");
    const cache = new ImageCache(join(folder, "file"));
    cache.write("a", Uint8Array.of(1));
    expect(cache.problem).toMatch(/ENOTDIR|EEXIST/);
  });

  it("has a key for everything that an image depends on", () => {
    expect(keyOf(["source", { "a.cuh": "x" }, 12090])).toMatch(/^[0-9a-f]{64}$/);
    expect(keyOf(["source", 12090])).not.toBe(keyOf(["source", 12080]));
  });

  it("stands beside the other caches", () => {
    vi.stubEnv("BASIC_MLLM_CACHE", "/cache");
    expect(defaultImageFolder()).toBe("/cache/cuda");
    vi.stubEnv("BASIC_MLLM_CACHE", "");
    vi.stubEnv("XDG_CACHE_HOME", "/home/me/cache");
    expect(defaultImageFolder()).toBe("/home/me/cache/basic-mllm/cuda");
  });
});

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { CommandError } from "./command.js";
import { fetchWheels } from "./wheels.js";

describe("NVIDIA's packages", () => {
  let cache: string;
  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), "wheels-"));
  });
  afterEach(() => rmSync(cache, { recursive: true }));

  it("hold the compiler and the headers", async () => {
    const { nvrtc, include } = await fetchWheels();
    expect(existsSync(nvrtc)).toBe(true);
    expect(readFileSync(join(include, "cuda.h"), "utf8")).toContain("#define CUDA_VERSION 12090");
    expect(existsSync(join(include, "nvrtc.h"))).toBe(true);
  });

  it("that cannot be fetched are an error with pip's reason, and leave nothing behind", async () => {
    const fetch = () =>
      Promise.reject(new CommandError("python3", "ERROR: No matching distribution found\n"));
    await expect(fetchWheels({}, { fetch, cache })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: Cannot fetch NVIDIA's Python packages, which CUDA tests need: nvidia-cuda-nvrtc-cu12==12.9.86, nvidia-cuda-runtime-cu12==12.9.79. python3: ERROR: No matching distribution found. Expected Python 3 with pip, and a package index that has them. Check that \`python3 -m pip download --no-deps nvidia-cuda-nvrtc-cu12==12.9.86\` works. [E_DOWNLOAD]]`,
    );
    expect(readdirSync(cache)).toEqual([]);
  });

  it("of another version are others", async () => {
    const fetch = () => Promise.reject(new CommandError("python3", "offline"));
    await expect(fetchWheels({ nvrtc: "13" }, { fetch, cache })).rejects.toThrow(
      "nvidia-cuda-nvrtc==13.5.37, nvidia-cuda-runtime==13.5.37",
    );
  });
});

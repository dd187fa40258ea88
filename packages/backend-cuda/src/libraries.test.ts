import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { candidatesOf, searchedFolders } from "./libraries.js";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "libraries-"));
});
afterEach(() => rmSync(home, { recursive: true }));

/** Paths of the files, which are made. */
function files(...paths: readonly string[]): string[] {
  return paths.map((path) => {
    const file = join(home, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "");
    return file;
  });
}

function found(
  kind: "cuda" | "nvrtc" | "cublasLt" | "nccl",
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = "linux",
) {
  return candidatesOf(kind, { platform, env, home })
    .map(({ path, major }) => [path, major])
    .filter(([path]) => !String(path).startsWith("/usr"));
}

describe("libraries are looked for", () => {
  it("in the folders that were named, then by the system, in CUDA_PATH and in Python's packages, newest first", () => {
    const [named, toolkit, newer, older, user] = files(
      "named/libnvrtc.so.12",
      "toolkit/lib64/libnvrtc.so.11",
      "venv/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
      "venv/lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
      ".local/lib/python3.9/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
    );
    files("named/libnvrtc-builtins.so.12.9", "named/libnvrtc.alt.so.12");
    const env = {
      BASIC_MLLM_CUDA_LIBRARIES: join(home, "named"),
      CUDA_PATH: join(home, "toolkit"),
      VIRTUAL_ENV: join(home, "venv"),
    };
    expect(found("nvrtc", env)).toEqual([
      [named, 12],
      ["libnvrtc.so.13", 13],
      ["libnvrtc.so.12", 12],
      [toolkit, 11],
      [older, 12],
      [newer, 13],
      [user, 12],
    ]);
    expect(searchedFolders("nvrtc", { platform: "linux", env, home })).toEqual(
      expect.arrayContaining([join(home, "named"), join(home, "toolkit/lib64"), dirname(String(newer))]),
    );
  });

  it("by the names that they have on Windows", () => {
    const [driver, blas] = files("a/nvcuda.dll", "a/cublasLt64_12.dll");
    const env = { BASIC_MLLM_CUDA_LIBRARIES: join(home, "a") };
    const windows = (kind: "cuda" | "cublasLt") => candidatesOf(kind, { platform: "win32", env, home });
    // Folders are separated by `;` there: this test names one.
    expect(windows("cuda").map(({ path }) => path)).toEqual([driver, "nvcuda.dll"]);
    expect(windows("cublasLt")[0]).toEqual({ path: blas, major: 12 });
    expect(windows("cublasLt").map(({ path }) => path)).toContain("cublasLt64_13.dll");
  });

  it("nowhere but by name where nothing else is there", () => {
    expect(found("cuda", {})).toEqual([["libcuda.so.1", 1]]);
    expect(found("nccl", {})).toEqual([["libnccl.so.2", 2]]);
  });
});

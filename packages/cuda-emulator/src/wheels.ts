import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { atomicFolder } from "./atomic-folder.js";
import { CommandError, command } from "./command.js";
import { CACHE } from "./paths.js";

/** What tests need of NVIDIA's: fetched, never committed. */
export interface Wheels {
  /** The run-time compiler, `libnvrtc.so.N`. */
  readonly nvrtc: string;
  /** A folder with `cuda.h`, `nvrtc.h` and the headers of 16-bit floats. */
  readonly include: string;
}

interface Source {
  readonly packages: readonly string[];
  /** Below the folder of unpacked packages. */
  readonly nvrtc: string;
  readonly include: string;
  readonly nvrtcHeader: string;
}

const SOURCES: Readonly<Record<"12.9" | "13", Source>> = {
  "12.9": {
    packages: ["nvidia-cuda-nvrtc-cu12==12.9.86", "nvidia-cuda-runtime-cu12==12.9.79"],
    nvrtc: "nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
    include: "nvidia/cuda_runtime/include",
    nvrtcHeader: "nvidia/cuda_nvrtc/include/nvrtc.h",
  },
  "13": {
    packages: ["nvidia-cuda-nvrtc==13.5.37", "nvidia-cuda-runtime==13.5.37"],
    nvrtc: "nvidia/cu13/lib/libnvrtc.so.13",
    include: "nvidia/cu13/include",
    nvrtcHeader: "nvidia/cu13/include/nvrtc.h",
  },
};

/** What fetches packages: a test gives one that fails. */
export type Fetch = (packages: readonly string[], folder: string) => Promise<void>;

/**
 * The compiler and the headers of a CUDA version, from NVIDIA's Python packages (about 95 MB, unpacked once).
 *
 * @throws BasicError `E_DOWNLOAD` where they cannot be fetched, with what pip said.
 */
export async function fetchWheels(
  { nvrtc: version = "12.9" }: { readonly nvrtc?: "12.9" | "13" } = {},
  {
    fetch = pipDownload,
    cache = join(CACHE, "cuda"),
  }: { readonly fetch?: Fetch; readonly cache?: string } = {},
): Promise<Wheels> {
  const source = SOURCES[version];
  const name = source.packages.map((each) => each.replace("nvidia-cuda-", "").replace("==", "-")).join("+");
  const folder = await atomicFolder(join(cache, name), (temporary) => unpack(source, temporary, fetch));
  return { nvrtc: join(folder, source.nvrtc), include: join(folder, source.include) };
}

async function unpack(
  { packages, nvrtc, include, nvrtcHeader }: Source,
  folder: string,
  fetch: Fetch,
): Promise<void> {
  const wheels = join(folder, "wheels");
  mkdirSync(wheels);
  try {
    await fetch(packages, wheels);
    for (const file of readdirSync(wheels)) {
      await command("python3", ["-m", "zipfile", "-e", join(wheels, file), folder]);
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new BasicError(
      "E_DOWNLOAD",
      `Cannot fetch NVIDIA's Python packages, which CUDA tests need: ${packages.join(", ")}. ${error.message}. ` +
        "Expected Python 3 with pip, and a package index that has them. Check that `python3 -m pip download --no-deps " +
        `${packages[0]}\` works.`,
      { cause: error },
    );
  }
  rmSync(wheels, { recursive: true });
  const header = join(folder, include, "nvrtc.h");
  if (!existsSync(header)) copyFileSync(join(folder, nvrtcHeader), header);
  if (!existsSync(join(folder, nvrtc))) {
    throw new BasicError(
      "E_DOWNLOAD",
      `NVIDIA's Python packages ${packages.join(", ")} lack the file ${nvrtc}. Expected packages for Linux on x86-64 or arm64.`,
    );
  }
}

async function pipDownload(packages: readonly string[], folder: string): Promise<void> {
  const options = [
    "--no-deps",
    "--only-binary=:all:",
    "--disable-pip-version-check",
    "--quiet",
    "-d",
    folder,
  ];
  await command("python3", ["-m", "pip", "download", ...options, ...packages]);
}

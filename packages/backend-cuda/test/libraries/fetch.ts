import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { atomicFolder } from "../../../cuda-emulator/src/atomic-folder.js";
import { CommandError, command } from "../../../cuda-emulator/src/command.js";
import { CACHE } from "../../../cuda-emulator/src/paths.js";

/** A CUDA version whose libraries are checked. */
export type CudaVersion = "12.9" | "13";

/** NVIDIA's own libraries and their headers. */
export interface RealLibraries {
  readonly packages: readonly string[];
  readonly cublasLt: string;
  readonly nccl: string;
  /** Folders of headers. */
  readonly include: readonly string[];
}

interface Source {
  readonly packages: readonly string[];
  /** Below the folder of unpacked packages. */
  readonly cublasLt: string;
  readonly nccl: string;
  readonly include: readonly string[];
}

const SOURCES: Readonly<Record<CudaVersion, Source>> = {
  "12.9": {
    packages: [
      "nvidia-cublas-cu12==12.9.1.4",
      "nvidia-nccl-cu12==2.27.7",
      "nvidia-cuda-nvcc-cu12==12.9.86",
      "nvidia-cuda-cccl-cu12==12.9.27",
    ],
    cublasLt: "nvidia/cublas/lib/libcublasLt.so.12",
    nccl: "nvidia/nccl/lib/libnccl.so.2",
    include: [
      "nvidia/cublas/include",
      "nvidia/nccl/include",
      "nvidia/cuda_nvcc/include",
      "nvidia/cuda_cccl/include",
    ],
  },
  "13": {
    packages: [
      "nvidia-cublas==13.5.1.27",
      "nvidia-nccl-cu13==2.32.3",
      "nvidia-cuda-crt==13.5.37",
      "nvidia-cuda-cccl==13.3.5.0.6",
    ],
    cublasLt: "nvidia/cu13/lib/libcublasLt.so.13",
    nccl: "nvidia/nccl/lib/libnccl.so.2",
    include: ["nvidia/cu13/include", "nvidia/nccl/include"],
  },
};

/** Takes headers and two libraries out of a package of some 400 MB. The other packages have headers that those include. */
const UNPACK = `
import sys, zipfile
package = zipfile.ZipFile(sys.argv[1])
for name in package.namelist():
    if "/include/" in name or name in sys.argv[3:]: package.extract(name, sys.argv[2])
`;

/**
 * cuBLASLt and NCCL from NVIDIA's Python packages: about 900 MB to download, once.
 *
 * @throws BasicError `E_DOWNLOAD` where they cannot be fetched.
 */
export async function fetchLibraries(version: CudaVersion): Promise<RealLibraries> {
  const { packages, cublasLt, nccl, include } = SOURCES[version];
  const name = packages.map((each) => each.replace(/^nvidia-|cuda-/g, "").replace("==", "-")).join("+");
  const folder = await atomicFolder(join(CACHE, "cuda", name), async (temporary) => {
    const wheels = join(temporary, "wheels");
    mkdirSync(wheels);
    const options = [
      "--no-deps",
      "--only-binary=:all:",
      "--disable-pip-version-check",
      "--quiet",
      "-d",
      wheels,
    ];
    try {
      for (const each of packages) {
        await command("python3", ["-m", "pip", "download", ...options, each]);
        for (const file of readdirSync(wheels)) {
          await command("python3", ["-c", UNPACK, join(wheels, file), temporary, cublasLt, nccl]);
          rmSync(join(wheels, file));
        }
      }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new BasicError(
        "E_DOWNLOAD",
        `Cannot fetch NVIDIA's Python packages ${packages.join(", ")}. ${error.message}. Expected Python 3 with pip, a package ` +
          "index that has them, and 2 GB of space.",
        { cause: error },
      );
    }
  });
  const inside = (path: string) => join(folder, path);
  return { packages, cublasLt: inside(cublasLt), nccl: inside(nccl), include: include.map(inside) };
}

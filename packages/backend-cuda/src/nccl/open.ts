import { BasicError } from "@basic-mllm/core";

import { missingLibrary, suitable } from "../compile/open.js";
import { type Foreign, loadLibrary } from "../foreign/library.js";
import type { LibraryPaths } from "../libraries.js";
import { NCCL, NCCL_PROTOTYPES, type NcclFunction } from "./prototypes.js";

/** 2.13: the first that keeps the text of its last error. */
const OLDEST = 21_300;

/** The library, and where it is. */
export interface NcclLibrary {
  readonly path: string;
  readonly api: Foreign<NcclFunction>;
  /** 22707 for 2.27.7. */
  readonly version: number;
}

/**
 * Loads NCCL.
 *
 * @param driverVersion - 12090 for CUDA 12.9.
 * @throws BasicError `E_BACKEND_START` where there is none, or one that is too old.
 */
export function findNccl(
  driverVersion: number,
  libraries: LibraryPaths = {},
  platform: NodeJS.Platform = process.platform,
): NcclLibrary {
  if (platform === "win32" && libraries.nccl === undefined) throw noneForWindows();
  const tooOld: { readonly path: string; readonly version: number }[] = [];
  const problems: string[] = [];
  for (const { path } of suitable("nccl", driverVersion, libraries)) {
    try {
      const version = versionOf(path);
      if (version >= OLDEST) return { path, api: loadLibrary(path, NCCL_PROTOTYPES), version };
      tooOld.push({ path, version });
    } catch (error) {
      problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const [found] = tooOld;
  throw found === undefined ? missingLibrary("nccl", "NCCL", problems) : libraryTooOld(found);
}

/** Asked alone: an older library lacks other functions. */
function versionOf(path: string): number {
  const { ncclGetVersion } = NCCL_PROTOTYPES;
  const version = new Int32Array(1);
  const code = loadLibrary(path, { ncclGetVersion }).ncclGetVersion(version);
  if (code !== NCCL.ncclSuccess) throw new Error(`ncclGetVersion answers ${code}`);
  return version[0] ?? 0;
}

/** `2.27.7` for 22707, `2.8.4` for 2804, as it was written up to 2.8. */
export function ncclVersion(version: number): string {
  const hundred = version < 10_000 ? 1000 : 10_000;
  return [Math.floor(version / hundred), Math.floor((version % hundred) / 100), version % 100].join(".");
}

function libraryTooOld({ path, version }: { readonly path: string; readonly version: number }): BasicError {
  return new BasicError(
    "E_BACKEND_START",
    `NCCL is too old: ${path} is ${ncclVersion(version)}, and ${ncclVersion(OLDEST)} is needed. Install a newer one with ` +
      "`pip install nvidia-nccl-cu12` in an active virtual environment, or name its folder in BASIC_MLLM_CUDA_LIBRARIES.",
  );
}

function noneForWindows(): BasicError {
  return new BasicError(
    "E_BACKEND_START",
    "Several GPUs need NCCL, which NVIDIA makes for Linux only. Train on one GPU, or under WSL or Linux.",
  );
}

import { BasicError } from "@basic-mllm/core";

import { cudaVersion } from "../device/driver.js";
import {
  type Candidate,
  candidatesOf,
  type LibraryKind,
  type LibraryPaths,
  namesOf,
  searchedFolders,
} from "../libraries.js";
import { Nvrtc } from "./nvrtc.js";

/**
 * The newest NVRTC that the driver can follow: code of a later CUDA than the driver's does not load.
 *
 * @param driverVersion - 12090 for CUDA 12.9.
 * @throws BasicError `E_BACKEND_START` where there is none.
 */
export function openNvrtc(driverVersion: number, libraries: LibraryPaths = {}): Nvrtc {
  const tooNew: Nvrtc[] = [];
  const problems: string[] = [];
  for (const { path } of suitable("nvrtc", driverVersion, libraries)) {
    try {
      const nvrtc = new Nvrtc(path);
      if (majorOf(nvrtc.version) <= majorOf(driverVersion)) return nvrtc;
      tooNew.push(nvrtc);
    } catch (error) {
      problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const newest = tooNew[0];
  throw newest === undefined
    ? missingLibrary("nvrtc", "CUDA's run-time compiler (NVRTC)", problems)
    : compilerTooNew(newest, driverVersion);
}

/** Where a library for this driver may be: those that the driver can follow first. */
export function suitable(
  kind: LibraryKind,
  driverVersion: number,
  libraries: LibraryPaths,
): readonly Candidate[] {
  const chosen = libraries[kind];
  if (chosen !== undefined) return [{ path: chosen, major: 0 }];
  const candidates = candidatesOf(kind);
  const fits = ({ major }: Candidate) => major <= majorOf(driverVersion);
  return [...candidates.filter(fits), ...candidates.filter((candidate) => !fits(candidate))];
}

/** The error where no file of a library could be loaded. */
export function missingLibrary(kind: LibraryKind, what: string, problems: readonly string[]): BasicError {
  const { pip } = namesOf(kind);
  return new BasicError(
    "E_BACKEND_START",
    `${what} was not found. Looked for ${problems.join("; ")}; and in ${searchedFolders(kind).join(", ")}. Install it with ` +
      `\`pip install ${pip}\` in an active virtual environment, install the CUDA toolkit, or name its folder in ` +
      "BASIC_MLLM_CUDA_LIBRARIES.",
  );
}

function compilerTooNew({ version, path }: Nvrtc, driverVersion: number): BasicError {
  return new BasicError(
    "E_BACKEND_START",
    `The NVIDIA driver is too old for the compiler: it knows CUDA ${cudaVersion(driverVersion)}, and NVRTC is of CUDA ` +
      `${cudaVersion(version)} (${path}). Update the driver, or install an older NVRTC: ` +
      `\`pip install nvidia-cuda-nvrtc-cu${majorOf(driverVersion)}\`.`,
  );
}

function majorOf(version: number): number {
  return Math.floor(version / 1000);
}

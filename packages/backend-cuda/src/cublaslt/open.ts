import { missingLibrary, suitable } from "../compile/open.js";
import { loadLibrary } from "../foreign/library.js";
import type { LibraryPaths } from "../libraries.js";
import type { BlasLibrary } from "./blas-lt.js";
import { CUBLASLT_PROTOTYPES } from "./prototypes.js";

/**
 * Loads cuBLASLt for a driver.
 *
 * @param driverVersion - 12090 for CUDA 12.9.
 * @throws BasicError `E_BACKEND_START` where there is none.
 */
export function findBlasLt(driverVersion: number, libraries: LibraryPaths = {}): BlasLibrary {
  const problems: string[] = [];
  for (const { path } of suitable("cublasLt", driverVersion, libraries)) {
    try {
      return { path, api: loadLibrary(path, CUBLASLT_PROTOTYPES) };
    } catch (error) {
      problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw missingLibrary("cublasLt", "cuBLASLt", problems);
}

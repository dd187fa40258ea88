// Python with a pinned PyTorch in the cache folder, and how to start it: as it comes, or tuned.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The version that rows are compared with. */
export const TORCH_VERSION = "2.15.0";
const NUMPY_VERSION = "2.3.5";

/** MKL asks these whether the CPU is Intel's; elsewhere it takes slower paths. */
const SHIM = "int mkl_serv_intel_cpu_true(void){return 1;} int mkl_serv_intel_cpu(void){return 1;}\n";

/** glibc keeps freed memory instead of giving it back and faulting it in again. */
const KEEP_MEMORY = {
  MALLOC_MMAP_MAX_: "0",
  MALLOC_TRIM_THRESHOLD_: "100000000000",
  MALLOC_TOP_PAD_: "67108864",
};

function peerFolder() {
  const { BASIC_MLLM_CACHE: chosen, XDG_CACHE_HOME: base } = process.env;
  return join(chosen || join(base ?? join(homedir(), ".cache"), "basic-mllm"), "peers");
}

/** Installs PyTorch where it is missing. @returns Its Python and the shim. */
export function installTorch() {
  const folder = join(peerFolder(), `torch-${TORCH_VERSION}`);
  const python = join(folder, "bin", "python");
  const complete = join(folder, "complete");
  if (!existsSync(complete)) {
    mkdirSync(peerFolder(), { recursive: true });
    const show = { stdio: ["ignore", 2, 2] };
    execFileSync("python3", ["-m", "venv", folder], show);
    execFileSync(
      python,
      ["-m", "pip", "install", `torch==${TORCH_VERSION}`, `numpy==${NUMPY_VERSION}`],
      show,
    );
    writeFileSync(complete, "");
  }
  return { python, shim: buildShim(folder) };
}

function buildShim(folder) {
  const library = join(folder, "mkl-shim.so");
  if (!existsSync(library)) {
    execFileSync("cc", ["-shared", "-fPIC", "-x", "c", "-o", library, "-"], { input: SHIM });
  }
  return library;
}

/**
 * The environment of a PyTorch process. `stock`: as it comes. `tuned`: the MKL shim (AMD runs float32 products at half
 * speed without it) and an allocator that keeps its memory.
 */
export function torchEnvironment(build, { shim, threads }) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("OPENBLAS_"));
  const count = { OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) };
  const tuned = build === "stock" ? {} : { LD_PRELOAD: shim, ...KEEP_MEMORY };
  return { ...Object.fromEntries(kept), ...count, ...tuned };
}

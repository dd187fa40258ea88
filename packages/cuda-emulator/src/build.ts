import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";
import { build } from "esbuild";

import { atomicFolder } from "./atomic-folder.js";
import { CommandError, command } from "./command.js";
import { CACHE, NATIVE, PACKAGE } from "./paths.js";
import { fetchWheels } from "./wheels.js";

/** Stand-ins for NVIDIA's libraries. */
export interface FakeLibraries {
  /** `libcuda.so.1`: the driver. */
  readonly cuda: string;
  /** `libcublasLt.so.12`: matrix products. */
  readonly cublasLt: string;
  /** `libnccl.so.2`: sums between processes. */
  readonly nccl: string;
}

/** Not the driver's own name: NVRTC looks for a library of that name among those that are loaded, and calls more of it than there is. */
const DRIVER = "libcuda-emulator.so";

const FLAGS = [
  "-std=c++20",
  "-O2",
  "-mfma",
  "-mf16c",
  "-fPIC",
  "-shared",
  "-fvisibility=hidden",
  "-pthread",
  "-w",
];

/**
 * Builds the stand-ins, unless that was done before.
 *
 * @throws BasicError `E_DOWNLOAD` where NVIDIA's headers cannot be fetched, `E_BACKEND_START` where the compiler fails.
 */
export async function buildFakeLibraries(): Promise<FakeLibraries> {
  const { include } = await fetchWheels();
  const translator = await bundledTranslator();
  const modules = join(CACHE, "cuda-emulator", "modules");
  mkdirSync(modules, { recursive: true });
  const key = hashOf([translator, ...sourcesIn(NATIVE).map((file) => readFileSync(file, "utf8")), include]);
  const folder = await atomicFolder(join(CACHE, "cuda-emulator", key), async (temporary) => {
    writeFileSync(join(temporary, "translate.mjs"), translator);
    await compile(temporary, { include, modules, key });
  });
  return {
    cuda: join(folder, "libcuda.so.1"),
    cublasLt: join(folder, "libcublasLt.so.12"),
    nccl: join(folder, "libnccl.so.2"),
  };
}

/** The translator as one file that Node runs. */
async function bundledTranslator(): Promise<string> {
  const entry = join(PACKAGE, "src", "translate-file.ts");
  const options = { bundle: true, write: false, platform: "node", format: "esm", target: "node20" } as const;
  // Paths in its comments, and with them its hash, do not depend on the folder that tests are started in.
  const absWorkingDir = join(PACKAGE, "..", "..");
  const { outputFiles } = await build({
    ...options,
    absWorkingDir,
    entryPoints: [entry],
    logLevel: "silent",
  });
  return outputFiles.map(({ text }) => text).join("\n");
}

function hashOf(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of [...parts, process.execPath, ...FLAGS]) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

function sourcesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(h|cpp)$/.test(file))
    .sort()
    .map((file) => join(folder, file));
}

interface Places {
  readonly include: string;
  readonly modules: string;
  readonly key: string;
}

async function compile(folder: string, { include, modules, key }: Places): Promise<void> {
  const final = join(CACHE, "cuda-emulator", key);
  const places = {
    CACHE: modules,
    NODE: process.execPath,
    TRANSLATOR: join(final, "translate.mjs"),
    NATIVE,
    KEY: key,
  };
  const defines = Object.entries(places).map(
    ([name, value]) => `-DEMULATOR_${name}=${JSON.stringify(value)}`,
  );
  const filesOf = (...folders: readonly string[]) =>
    folders.flatMap((each) => sourcesIn(join(NATIVE, each)).filter((file) => file.endsWith(".cpp")));
  const cuda = join(folder, DRIVER);
  const driver = [...FLAGS, ...defines, `-I${include}`, ...filesOf("driver", "runtime"), "-ldl"];
  await gpp([...driver, `-Wl,-soname,${DRIVER}`, "-o", cuda]);
  symlinkSync(DRIVER, join(folder, "libcuda.so.1"));
  const blas = [...FLAGS, "-O3", "-mavx2", "-ffp-contract=fast", ...filesOf("cublaslt"), cuda];
  await gpp([...blas, "-Wl,-rpath,$ORIGIN", "-o", join(folder, "libcublasLt.so.12")]);
  const nccl = [...FLAGS, ...filesOf("nccl"), cuda];
  await gpp([...nccl, "-Wl,-rpath,$ORIGIN", "-o", join(folder, "libnccl.so.2")]);
}

async function gpp(args: readonly string[]): Promise<void> {
  try {
    await command("g++", args);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new BasicError(
      "E_BACKEND_START",
      `Cannot build the CUDA emulator. ${error.message.slice(0, 4000)} Expected g++ 12 or newer, which tests of the CUDA ` +
        "backend need on a machine without a GPU: install the package g++ of your system.",
      { cause: error },
    );
  }
}

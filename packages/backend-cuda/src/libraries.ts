import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** The libraries of NVIDIA that we call. */
export type LibraryKind = "cuda" | "nvrtc" | "cublasLt" | "nccl";

/** Files to use instead of those that are found. */
export type LibraryPaths = Readonly<Partial<Record<LibraryKind, string>>>;

/** Where a library was looked for. */
export interface Candidate {
  /** A path, or a bare name that the system's loader looks for. */
  readonly path: string;
  /** Major version in the name: 12 of `libnvrtc.so.12`. 0 where there is none. */
  readonly major: number;
}

interface NamePattern {
  /** Matches names of files; its first group is the major version. */
  readonly file: RegExp;
  /** Names that the system's loader is asked for, newest first. */
  readonly bare: readonly string[];
  /** Folder of the library in NVIDIA's Python packages, below `nvidia/`. */
  readonly wheel: readonly string[];
  /** Python package to install. */
  readonly pip: string;
}

const LINUX: Readonly<Record<LibraryKind, NamePattern>> = {
  cuda: { file: /^libcuda\.so\.(1)$/, bare: ["libcuda.so.1"], wheel: [], pip: "" },
  nvrtc: {
    file: /^libnvrtc\.so\.(\d+)$/,
    bare: ["libnvrtc.so.13", "libnvrtc.so.12"],
    wheel: ["cuda_nvrtc/lib", "cu13/lib"],
    pip: "nvidia-cuda-nvrtc-cu12",
  },
  cublasLt: {
    file: /^libcublasLt\.so\.(\d+)$/,
    bare: ["libcublasLt.so.13", "libcublasLt.so.12"],
    wheel: ["cublas/lib", "cu13/lib"],
    pip: "nvidia-cublas-cu12",
  },
  nccl: {
    file: /^libnccl\.so\.(\d+)$/,
    bare: ["libnccl.so.2"],
    wheel: ["nccl/lib"],
    pip: "nvidia-nccl-cu12",
  },
};

const WINDOWS: Readonly<Record<LibraryKind, NamePattern>> = {
  cuda: { file: /^nvcuda\.dll$/i, bare: ["nvcuda.dll"], wheel: [], pip: "" },
  nvrtc: {
    file: /^nvrtc64_(\d\d)\d_0\.dll$/i,
    bare: ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"],
    wheel: ["cuda_nvrtc/bin", "cu13/bin/x86_64"],
    pip: "nvidia-cuda-nvrtc-cu12",
  },
  cublasLt: {
    file: /^cublasLt64_(\d+)\.dll$/i,
    bare: ["cublasLt64_13.dll", "cublasLt64_12.dll"],
    wheel: ["cublas/bin", "cu13/bin/x86_64"],
    pip: "nvidia-cublas-cu12",
  },
  nccl: { file: /^nccl\.dll$/i, bare: [], wheel: [], pip: "" },
};

/** What decides where libraries are. */
export interface SearchEnvironment {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
}

/** The names of a library on a platform. */
export function namesOf(kind: LibraryKind, platform: NodeJS.Platform = process.platform): NamePattern {
  return (platform === "win32" ? WINDOWS : LINUX)[kind];
}

/**
 * Where a library may be, best first: folders of `BASIC_MLLM_CUDA_LIBRARIES`, the system's loader, `CUDA_PATH`, common
 * folders, and NVIDIA's Python packages. Those in folders exist; bare names may not.
 */
export function candidatesOf(
  kind: LibraryKind,
  { platform, env, home }: SearchEnvironment = {
    platform: process.platform,
    env: process.env,
    home: homedir(),
  },
): readonly Candidate[] {
  const names = namesOf(kind, platform);
  const chosen = (env["BASIC_MLLM_CUDA_LIBRARIES"] ?? "").split(delimiter).filter(Boolean);
  const bare = names.bare.map((path) => ({ path, major: majorIn(path) }));
  const found = [...systemFolders(platform, env), ...wheelFolders(names, { platform, env, home })];
  return [...inFolders(chosen, names), ...bare, ...inFolders(found, names)];
}

/** Folders that are looked into, for people. */
export function searchedFolders(
  kind: LibraryKind,
  search: SearchEnvironment = { platform: process.platform, env: process.env, home: homedir() },
): readonly string[] {
  const { platform, env } = search;
  const chosen = (env["BASIC_MLLM_CUDA_LIBRARIES"] ?? "").split(delimiter).filter(Boolean);
  return [...chosen, ...systemFolders(platform, env), ...wheelFolders(namesOf(kind, platform), search)];
}

function inFolders(folders: readonly string[], { file }: NamePattern): readonly Candidate[] {
  return folders.flatMap((folder) =>
    filesIn(folder)
      .filter((name) => file.test(name))
      .map((name) => ({ path: join(folder, name), major: Number(file.exec(name)?.[1] ?? 0) }))
      .sort((a, b) => b.major - a.major),
  );
}

function systemFolders(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): readonly string[] {
  const roots = [env["CUDA_PATH"], env["CUDA_HOME"]].filter((root) => root !== undefined && root !== "");
  if (platform === "win32")
    return roots.flatMap((root) => [join(`${root}`, "bin"), join(`${root}`, "bin", "x64")]);
  const chosen = roots.flatMap((root) => [join(`${root}`, "lib64"), join(`${root}`, "lib")]);
  const common = [
    "/usr/local/cuda/lib64",
    "/opt/cuda/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
  ];
  return [...chosen, ...common, "/usr/lib64", "/usr/lib/wsl/lib"];
}

/** `site-packages/nvidia/...` of the active environment, of conda's, of the user's and of the system's Python. */
function wheelFolders({ wheel }: NamePattern, { platform, env, home }: SearchEnvironment): readonly string[] {
  const roots = [env["VIRTUAL_ENV"], env["CONDA_PREFIX"]].filter((root) => root !== undefined && root !== "");
  const packages =
    platform === "win32"
      ? roots.map((root) => join(`${root}`, "Lib", "site-packages"))
      : [...roots.map(String), join(home, ".local"), "/usr/local", "/usr"].flatMap((root) =>
          pythonPackages(join(root, "lib")),
        );
  return packages
    .flatMap((folder) => wheel.map((part) => join(folder, "nvidia", ...part.split("/"))))
    .filter(existsSync);
}

function pythonPackages(lib: string): readonly string[] {
  return filesIn(lib)
    .filter((name) => /^python3/.test(name))
    .flatMap((name) => [join(lib, name, "site-packages"), join(lib, name, "dist-packages")]);
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function majorIn(name: string): number {
  return Number(/\.so\.(\d+)$/.exec(name)?.[1] ?? /64_(\d\d)/.exec(name)?.[1] ?? 0);
}

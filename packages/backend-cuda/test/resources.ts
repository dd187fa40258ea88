import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { compilationOf } from "../src/compile/compiler.js";
import { keyOf } from "../src/compile/image-cache.js";
import type { Nvrtc } from "../src/compile/nvrtc.js";
import type { Program } from "../src/program.js";

/** What ptxas says about a kernel on an architecture. */
export interface Resources {
  readonly entry: string;
  readonly registers: number;
  /** Static shared memory of a block. */
  readonly sharedBytes: number;
  readonly stackBytes: number;
  readonly spillBytes: number;
}

/** What an SM has. From the table of technical specifications in NVIDIA's CUDA C++ Programming Guide. */
interface Architecture {
  readonly threads: number;
  readonly blocks: number;
  readonly sharedBytes: number;
}

const KIB = 1024;

/** By compute capability times ten: those that kernels are compiled for in the tests. */
export const architectures: Readonly<Record<number, Architecture>> = {
  75: { threads: 1024, blocks: 16, sharedBytes: 64 * KIB },
  80: { threads: 2048, blocks: 32, sharedBytes: 164 * KIB },
  86: { threads: 1536, blocks: 16, sharedBytes: 100 * KIB },
  89: { threads: 1536, blocks: 24, sharedBytes: 100 * KIB },
  90: { threads: 2048, blocks: 32, sharedBytes: 228 * KIB },
  100: { threads: 2048, blocks: 32, sharedBytes: 228 * KIB },
  120: { threads: 1536, blocks: 24, sharedBytes: 100 * KIB },
};

/** Registers of an SM, and how many a warp takes at once; what the system takes of each block's shared memory. */
const REGISTERS = 65_536;
const REGISTER_UNIT = 8;
const SYSTEM_SHARED_BYTES = 1024;

/** Share of an SM's threads that are resident with as many blocks as fit. */
export function occupancyOf(
  program: Program,
  { registers, sharedBytes }: Resources,
  architecture: number,
): number {
  const { threads: most, blocks: mostBlocks, sharedBytes: mostShared } = limitsOf(architecture);
  const threads = threadsOf(program);
  const ofWarp = Math.ceil(registers / REGISTER_UNIT) * REGISTER_UNIT * 32;
  const shared = sharedBytes + (program.sharedBytes ?? 0);
  const system = architecture === 75 ? 0 : SYSTEM_SHARED_BYTES;
  const blocks = Math.min(
    mostBlocks,
    Math.floor(most / threads),
    Math.floor(REGISTERS / (ofWarp * Math.ceil(threads / 32))),
    Math.floor(mostShared / Math.max(1, shared + system)),
  );
  return (blocks * threads) / most;
}

/** Threads of a block. */
export function threadsOf({ block }: Program): number {
  const sides = typeof block === "number" ? [block] : block;
  return sides.reduce<number>((product, side) => product * (side ?? 1), 1);
}

function limitsOf(architecture: number): Architecture {
  const limits = architectures[architecture];
  if (limits === undefined) throw new Error(`The limits of sm_${architecture} are not in the table.`);
  return limits;
}

/** Compiles a program's source for an architecture: what each of its kernels takes. Kept in `folder` by content. */
export function resourcesOf(
  program: Program,
  architecture: number,
  { nvrtc, folder }: { readonly nvrtc: Nvrtc; readonly folder: string },
): readonly Resources[] {
  const compilation = compilationOf(program, { kind: "cubin", architecture: `sm_${architecture}` });
  const options = [...compilation.options, "--ptxas-options=-v"];
  const { source, headers } = compilation;
  const path = join(folder, `${keyOf([source, headers, options, nvrtc.version])}.log`);
  return parseLog(readIfThere(path) ?? kept(path, nvrtc.compile({ ...compilation, options }).log));
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function kept(path: string, text: string): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
  return text;
}

/** The report of ptxas, one paragraph a kernel. */
export function parseLog(log: string): readonly Resources[] {
  return log
    .split("Compiling entry function")
    .slice(1)
    .map((text) => ({
      entry: /'(\w+)'/.exec(text)?.[1] ?? "",
      registers: numberIn(text, /Used (\d+) registers/),
      sharedBytes: numberIn(text, /(\d+) bytes smem/),
      stackBytes: numberIn(text, /(\d+) bytes stack frame/),
      spillBytes: numberIn(text, /(\d+) bytes spill stores/) + numberIn(text, /(\d+) bytes spill loads/),
    }));
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}

import { BasicError } from "@basic-mllm/core";

import { cudaVersion } from "../device/driver.js";
import { sharedHeaders } from "../kernels/headers.js";
import type { KernelProgram } from "../program.js";
import { type ImageCache, keyOf } from "./image-cache.js";
import { type Compilation, CompileError, type Nvrtc } from "./nvrtc.js";
import type { Target } from "./target.js";

/** Contracted multiply-adds, exact division, square roots and subnormals. */
const OPTIONS = ["--std=c++17", "--fmad=true"];

/** Lines of a source that an error shows before and after the one it is about. */
const AROUND = 4;

/** A compiled source. */
export interface Image {
  readonly target: Target;
  /** PTX ends in a zero byte, as the driver expects it. */
  readonly bytes: Uint8Array;
  readonly key: string;
}

/** What NVRTC is given for a program on a target. */
export function compilationOf(program: KernelProgram, { architecture }: Target): Compilation {
  const defines = Object.entries(program.defines ?? {}).map(([name, value]) => `-D${name}=${value}`);
  return {
    name: fileOf(program),
    source: program.source,
    headers: includedHeaders(program.source),
    options: [`--gpu-architecture=${architecture}`, ...OPTIONS, ...defines],
  };
}

/** Compiles programs, or takes what an earlier process compiled. */
export class Compiler {
  readonly nvrtc: Nvrtc;
  readonly cache: ImageCache;
  #compilations = 0;

  constructor(nvrtc: Nvrtc, cache: ImageCache) {
    this.nvrtc = nvrtc;
    this.cache = cache;
  }

  /** Sources compiled by this process. */
  get compilations(): number {
    return this.#compilations;
  }

  /** @throws BasicError `E_KERNEL_FAILED` for a source that does not compile: the kernel, its lines, the compiler's log. */
  image(program: KernelProgram, target: Target): Image {
    const compilation = compilationOf(program, target);
    const { source, headers, options } = compilation;
    const key = `${keyOf([source, headers, options, this.nvrtc.version])}.${target.kind}`;
    const kept = this.cache.read(key);
    if (kept !== undefined) return { target, bytes: kept, key };
    const bytes = this.#compile(program, compilation, target);
    this.cache.write(key, bytes);
    return { target, bytes, key };
  }

  #compile(program: KernelProgram, compilation: Compilation, target: Target): Uint8Array {
    this.#compilations++;
    try {
      const { ptx, cubin } = this.nvrtc.compile(compilation);
      return target.kind === "cubin" && cubin !== undefined ? cubin : ptx;
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      throw doesNotCompile({
        program,
        compilation,
        target,
        version: this.nvrtc.version,
        log: `${error.message}\n${error.log}`,
      });
    }
  }
}

interface Refused {
  readonly program: KernelProgram;
  readonly compilation: Compilation;
  readonly target: Target;
  readonly version: number;
  readonly log: string;
}

function doesNotCompile({ program, compilation, target, version, log }: Refused): BasicError {
  const [, file, line] = /^(\S+?)\((\d+)\): (?:catastrophic )?error/m.exec(log) ?? [];
  const text = file === undefined || file === compilation.name ? program.source : compilation.headers[file];
  const at = line === undefined ? undefined : Number(line);
  return new BasicError(
    "E_KERNEL_FAILED",
    `The kernel "${program.name}" does not compile (NVRTC ${cudaVersion(version)}, ${target.architecture}):\n${log.trim()}\n\n` +
      `${file ?? compilation.name}:\n${numbered((text ?? program.source).split("\n"), at)}\n` +
      'Report this with the output of `basic-mllm doctor`, or use the backend "cpu".',
  );
}

/** Lines with their numbers: all of them, or those around line `at`. */
function numbered(lines: readonly string[], at: number | undefined): string {
  const [first, last] = at === undefined ? [1, lines.length] : [at - AROUND, at + AROUND];
  const width = String(lines.length).length;
  return lines
    .map((line, i) => `${i + 1 === at ? ">" : " "} ${String(i + 1).padStart(width)} | ${line}`)
    .filter((_, i) => i + 1 >= first && i + 1 <= last)
    .join("\n");
}

/** `activation-silu.cu`: a name without spaces, as messages of the compiler begin with it. */
function fileOf({ name }: KernelProgram): string {
  return `${name.replace(/[^\w.]+/g, "-")}.cu`;
}

/** The shared headers that a source includes, also through others. */
function includedHeaders(source: string): Record<string, string> {
  const found: Record<string, string> = {};
  const look = (text: string) => {
    for (const [, name = ""] of text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) {
      const header = sharedHeaders[name];
      if (header === undefined || name in found) continue;
      found[name] = header;
      look(header);
    }
  };
  look(source);
  return found;
}

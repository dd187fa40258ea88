import { type Foreign, type ForeignArgument, loadLibrary } from "../foreign/library.js";
import { NVRTC, NVRTC_PROTOTYPES } from "./prototypes.js";

/** A source and how to compile it. */
export interface Compilation {
  /** Name of the file in messages. */
  readonly name: string;
  readonly source: string;
  /** Texts of `#include "NAME"`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly options: readonly string[];
}

/** What NVRTC made of a source. */
export interface Compiled {
  readonly ptx: Uint8Array;
  /** Machine code, where the options name a real architecture (`sm_90`). */
  readonly cubin: Uint8Array | undefined;
  readonly log: string;
}

/** A source that does not compile. */
export class CompileError extends Error {
  readonly log: string;

  constructor(message: string, log: string) {
    super(message);
    this.name = "CompileError";
    this.log = log;
  }
}

type NvrtcFunction = keyof typeof NVRTC_PROTOTYPES;

/** NVIDIA's run-time compiler. It needs no GPU. */
export class Nvrtc {
  readonly path: string;
  /** As the driver counts: 12090 for 12.9. */
  readonly version: number;
  /** Architectures that it knows: 90 for sm_90. */
  readonly architectures: readonly number[];
  readonly #api: Foreign<NvrtcFunction>;

  /** @throws Error where the library is missing, or lacks a function. */
  constructor(path: string) {
    this.path = path;
    this.#api = loadLibrary(path, NVRTC_PROTOTYPES);
    const [major, minor, count] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
    this.#call("nvrtcVersion", major, minor);
    this.version = (major[0] ?? 0) * 1000 + (minor[0] ?? 0) * 10;
    this.#call("nvrtcGetNumSupportedArchs", count);
    const architectures = new Int32Array(count[0] ?? 0);
    this.#call("nvrtcGetSupportedArchs", architectures);
    this.architectures = [...architectures];
  }

  /** @throws CompileError for a source that does not compile. */
  compile({ name, source, headers, options }: Compilation): Compiled {
    const handle = new BigUint64Array(1);
    const names = Object.keys(headers);
    this.#call("nvrtcCreateProgram", handle, source, name, names.length, Object.values(headers), names);
    const program = Number(handle[0]);
    try {
      const code = this.#api.nvrtcCompileProgram(program, options.length, options);
      const log = textOf(this.#bytes("nvrtcGetProgramLogSize", "nvrtcGetProgramLog", program));
      if (code !== NVRTC.NVRTC_SUCCESS) throw new CompileError(this.#nameOf(code), log);
      const real = options.some((option) => option.includes("=sm_"));
      return {
        log,
        ptx: this.#bytes("nvrtcGetPTXSize", "nvrtcGetPTX", program),
        cubin: real ? this.#bytes("nvrtcGetCUBINSize", "nvrtcGetCUBIN", program) : undefined,
      };
    } finally {
      this.#call("nvrtcDestroyProgram", handle);
    }
  }

  #bytes(sizeOf: NvrtcFunction, read: NvrtcFunction, program: number): Uint8Array {
    const size = new BigUint64Array(1);
    this.#call(sizeOf, program, size);
    const bytes = new Uint8Array(Number(size[0]));
    this.#call(read, program, bytes);
    return bytes;
  }

  #call(name: NvrtcFunction, ...args: readonly ForeignArgument[]): void {
    const code = this.#api[name](...args);
    if (code !== NVRTC.NVRTC_SUCCESS) throw new Error(`${name}: ${this.#nameOf(code)}`);
  }

  #nameOf(code: number): string {
    return String(this.#api.nvrtcGetErrorString(code));
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\0+$/, "");
}

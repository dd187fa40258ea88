import { BasicError } from "@basic-mllm/core";
import koffi from "koffi";

/** How the emulated machine looks. */
export interface FakeSettings {
  /** Memory of each device. Default 4096. */
  readonly memoryMb?: number;
  /** CUDA version of the driver, as `cuDriverGetVersion` gives it. Default 12090. */
  readonly driverVersion?: number;
  /** Major version times 10 and minor version. Default 90. */
  readonly computeCapability?: number;
  /** Default 1. */
  readonly devices?: number;
  /** Checks accesses of memory and barriers, in modules that are loaded from now on. Default true. */
  readonly check?: boolean;
  /** Work of a stream waits until somebody asks for it. Default true. */
  readonly deferred?: boolean;
  /** Host threads that run blocks. Default 0, as many as there are cores. */
  readonly threads?: number;
  /** Not 0: warps take turns in another order, which shows results that depend on it. Default 0. */
  readonly seed?: number;
  /** Version of the stand-in for NCCL, as `ncclGetVersion` gives it. Default 22707. */
  readonly ncclVersion?: number;
}

/** Counts since the last reset. */
export interface FakeStatistics {
  readonly liveAllocations: number;
  readonly bytes: number;
  readonly peakBytes: number;
  readonly streams: number;
  /** Live pieces of pinned host memory. */
  readonly pinned: number;
  readonly launches: number;
  /** Calls of each function of the driver and of NCCL. */
  readonly calls: Readonly<Record<string, number>>;
}

/** Controls the stand-in for the driver. */
export class FakeDriver {
  readonly #configure: (text: string) => number;
  readonly #reset: () => void;
  readonly #inject: (name: string, nth: number, code: number) => void;
  readonly #log: (on: number) => void;
  readonly #logged: () => string;
  readonly #lastFault: () => string;
  readonly #statistics: () => string;

  /** @param path `cuda` of `buildFakeLibraries`, the file that the backend uses. */
  constructor(path: string) {
    const library = koffi.load(path);
    this.#configure = library.func("int fakecuda_configure(const char *text)");
    this.#reset = library.func("void fakecuda_reset()");
    this.#inject = library.func("void fakecuda_inject(const char *name, int nth, int code)");
    this.#log = library.func("void fakecuda_log(int on)");
    this.#logged = library.func("const char *fakecuda_logged()");
    this.#lastFault = library.func("const char *fakecuda_last_fault()");
    this.#statistics = library.func("const char *fakecuda_statistics()");
  }

  /** Settings as at the start; faults, injections, counts and the log are forgotten. Allocations stay. */
  reset(): void {
    this.#reset();
  }

  /** Changes settings; the others stay. @throws BasicError `E_CONFIG` for a value that is no whole number. */
  configure(settings: FakeSettings): void {
    const text = Object.entries(settings).map(([name, value]) => `${name}=${Number(value)}`);
    if (this.#configure(text.join(" ")) === 0) return;
    throw new BasicError(
      "E_CONFIG",
      `The CUDA emulator does not take the settings ${text.join(" ")}. Expected whole numbers for memoryMb, driverVersion, ` +
        "computeCapability, devices, threads, seed and ncclVersion, and booleans for check and deferred.",
    );
  }

  /**
   * The `nth` call of a function of the driver or of NCCL from now on answers `code`. Errors that end a context do so.
   *
   * @param name Name without the suffix of its version, `kernel` for a kernel that runs, or `ncclAsyncError` for what goes wrong
   *   between ranks.
   */
  inject(name: string, nth: number, code: number): void {
    this.#inject(name, nth, code);
  }

  /** Begins to note calls, from an empty log. */
  startLog(): void {
    this.#log(1);
  }

  /** Calls since {@link startLog}: names, and what was launched. */
  log(): readonly string[] {
    return this.#logged().split("\n").filter(Boolean);
  }

  /** What went wrong last: the text of a check with kernel, block and thread, or why a module was refused. */
  lastFault(): string {
    return this.#lastFault();
  }

  /** Allocations, launches and calls since the last reset. */
  statistics(): FakeStatistics {
    const lines = this.#statistics().split("\n").filter(Boolean);
    const counts = new Map(lines.map((line) => [line.split("=")[0] ?? "", Number(line.split("=")[1])]));
    const count = (name: string) => counts.get(name) ?? 0;
    const calls = [...counts].filter(([name]) => name.startsWith("calls."));
    return {
      liveAllocations: count("liveAllocations"),
      bytes: count("bytes"),
      peakBytes: count("peakBytes"),
      streams: count("streams"),
      pinned: count("pinned"),
      launches: count("launches"),
      calls: Object.fromEntries(calls.map(([name, value]) => [name.slice("calls.".length), value])),
    };
  }
}

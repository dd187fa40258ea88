/** Stand-ins for NVIDIA's libraries. */
interface FakeLibraries {
    /** `libcuda.so.1`: the driver. */
    readonly cuda: string;
    /** `libcublasLt.so.12`: matrix products. */
    readonly cublasLt: string;
    /** `libnccl.so.2`: sums between processes. */
    readonly nccl: string;
}
/**
 * Builds the stand-ins, unless that was done before.
 *
 * @throws BasicError `E_DOWNLOAD` where NVIDIA's headers cannot be fetched, `E_BACKEND_START` where the compiler fails.
 */
declare function buildFakeLibraries(): Promise<FakeLibraries>;

/** How the emulated machine looks. */
interface FakeSettings {
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
interface FakeStatistics {
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
declare class FakeDriver {
    #private;
    /** @param path `cuda` of `buildFakeLibraries`, the file that the backend uses. */
    constructor(path: string);
    /** Settings as at the start; faults, injections, counts and the log are forgotten. Allocations stay. */
    reset(): void;
    /** Changes settings; the others stay. @throws BasicError `E_CONFIG` for a value that is no whole number. */
    configure(settings: FakeSettings): void;
    /**
     * The `nth` call of a function of the driver or of NCCL from now on answers `code`. Errors that end a context do so.
     *
     * @param name Name without the suffix of its version, `kernel` for a kernel that runs, or `ncclAsyncError` for what goes wrong
     *   between ranks.
     */
    inject(name: string, nth: number, code: number): void;
    /** Begins to note calls, from an empty log. */
    startLog(): void;
    /** Calls since {@link startLog}: names, and what was launched. */
    log(): readonly string[];
    /** What went wrong last: the text of a check with kernel, block and thread, or why a module was refused. */
    lastFault(): string;
    /** Allocations, launches and calls since the last reset. */
    statistics(): FakeStatistics;
}

/** PTX that cannot be read or translated. */
declare class PtxError extends Error {
    constructor(what: string, line: number);
}

/**
 * Translates PTX, as NVRTC writes it, to C++ for the runtime in `native/`: one function a kernel, registers as its variables,
 * branches as `goto`.
 *
 * @throws PtxError for text that cannot be read and for instructions that the emulator does not know.
 */
declare function translate(ptx: string): string;

/** What tests need of NVIDIA's: fetched, never committed. */
interface Wheels {
    /** The run-time compiler, `libnvrtc.so.N`. */
    readonly nvrtc: string;
    /** A folder with `cuda.h`, `nvrtc.h` and the headers of 16-bit floats. */
    readonly include: string;
}
/** What fetches packages: a test gives one that fails. */
type Fetch = (packages: readonly string[], folder: string) => Promise<void>;
/**
 * The compiler and the headers of a CUDA version, from NVIDIA's Python packages (about 95 MB, unpacked once).
 *
 * @throws BasicError `E_DOWNLOAD` where they cannot be fetched, with what pip said.
 */
declare function fetchWheels({ nvrtc: version }?: {
    readonly nvrtc?: "12.9" | "13";
}, { fetch, cache, }?: {
    readonly fetch?: Fetch;
    readonly cache?: string;
}): Promise<Wheels>;

export { FakeDriver, type FakeLibraries, type FakeSettings, type FakeStatistics, type Fetch, PtxError, type Wheels, buildFakeLibraries, fetchWheels, translate };

import * as tf from "@tensorflow/tfjs-core";

import { BasicError } from "./errors.js";
import { type Fallback, setFallback } from "./kernels/run.js";
import { didYouMean } from "./nearest.js";

/** Backends that have a package of ours. */
const OURS: readonly string[] = ["cpu", "webgpu", "cuda"];

/** Threads of a backend that computes on the processor. Results do not depend on their number. */
export interface BackendThreads {
  /** How many compute now. */
  count(): number;
  /** Sets the number from the next kernel on. */
  set(count: number): void;
}

/** A backend that computes now. */
export interface StartedBackend {
  /** As it was asked for: `cpu`, `tfjs:wasm`. */
  readonly name: string;
  /** Name in tfjs's registry. */
  readonly tfjsName: string;
  /** What it computes with, for people: `native kernels, avx2, 4 threads`. The tfjs name where it does not say. */
  readonly device: string;
  /** Where their number may change while it runs. */
  readonly threads?: BackendThreads;
}

/**
 * How matrix products treat their operands: as they are, rounded to TF32 (10 bits of mantissa), or to bfloat16 (7 bits). Sums
 * are in float32. With `bf16` a backend may keep activations in bfloat16, too: `cuda` does. `cuda` alone has `tf32`.
 */
export type Precision = "f32" | "tf32" | "bf16";

/** Options of {@link startBackend}. */
export interface StartBackendOptions {
  /** What to do where the backend lacks a kernel. Default `error`. */
  readonly fallback?: Fallback;
  /** Precision of matrix products. Default: the backend's, which is `f32` unless its own settings say otherwise. */
  readonly precision?: Precision | undefined;
  /**
   * Bytes of memory of a device to imagine, for a rehearsal: no device is looked at, and nothing is computed. Default: a
   * device that is there.
   */
  readonly imagine?: number | undefined;
  /**
   * Imports the backend's package. Default: `import(specifier)`. Bundlers cannot follow a computed specifier: give
   * them `() => import("@basic-mllm/backend-webgpu")`.
   */
  readonly load?: (specifier: string) => Promise<unknown>;
}

/** What a backend package exports. */
interface BackendModule {
  /** Registers the backend, sets it and returns its tfjs name. */
  readonly start: (options?: {
    readonly precision?: Precision;
    readonly imagine?: number;
  }) => Promise<string>;
  /** Whether `start` can imagine a device. Default: no. */
  readonly imagines?: boolean;
  /** Precisions that `start` takes. Default: `f32` alone. */
  readonly precisions?: readonly Precision[];
  /** What the started backend computes with, in words. */
  readonly describe?: () => string;
  /** Threads of the started backend; undefined where their number is fixed. */
  readonly threads?: () => BackendThreads | undefined;
}

/** tfjs has one backend at a time, and tensors stay on the one that made them. */
let current:
  | {
      readonly name: string;
      readonly precision: Precision | undefined;
      readonly started: Promise<StartedBackend>;
    }
  | undefined;

/**
 * Starts the backend that everything computes on from now on. It never falls back to another one.
 *
 * @param name - `cpu`, `webgpu` or `cuda` (the package `@basic-mllm/backend-NAME`), or `tfjs:NAME` for a tfjs backend
 *   that the caller registered. A tfjs backend without kernels of ours needs `{ fallback: "reference" }`.
 * @returns Its names. Asking for the same backend again gives the same answer.
 * @throws {@link BasicError} `E_BACKEND_MISSING` when it is not installed or registered, `E_BACKEND_START` when it does
 *   not start, lacks the precision or cannot imagine a device, `E_BACKEND_CONFLICT` when another one, or another precision, runs in this process.
 */
export async function startBackend(name: string, options: StartBackendOptions = {}): Promise<StartedBackend> {
  if (current !== undefined && current.name !== name) {
    throw new BasicError(
      "E_BACKEND_CONFLICT",
      `startBackend: asked for "${name}", but "${current.name}" runs in this process. A process has one backend: start another process for "${name}".`,
    );
  }
  const { precision } = options;
  if (current !== undefined && precision !== undefined && precision !== current.precision) {
    throw new BasicError(
      "E_BACKEND_CONFLICT",
      `startBackend: asked for ${precision}, but "${name}" was started with ${current.precision ?? "its default"} in this process. A process has one backend: start another process for "${precision}".`,
    );
  }
  current ??= { name, precision, started: start(name, options) };
  const mine = current;
  try {
    const started = await mine.started;
    if (options.fallback !== undefined) setFallback(options.fallback);
    return started;
  } catch (error) {
    if (current === mine) current = undefined;
    throw error;
  }
}

async function start(name: string, options: StartBackendOptions): Promise<StartedBackend> {
  const stock = name.startsWith("tfjs:");
  const { tfjsName, ...about } = stock
    ? await startRegistered(name.slice("tfjs:".length), options)
    : await startPackage(name, options);
  if (tf.getBackend() !== tfjsName) {
    throw startError(name, `tfjs runs on "${tf.getBackend()}" instead of "${tfjsName}"`);
  }
  return { name, tfjsName, ...about };
}

type Started = Omit<StartedBackend, "name">;

async function startRegistered(name: string, options: StartBackendOptions): Promise<Started> {
  const { fallback, precision, imagine } = options;
  requirePrecision(`tfjs:${name}`, precision, undefined);
  if (imagine !== undefined) throw startError(`tfjs:${name}`, "it cannot imagine a device");
  const factory: unknown = tf.findBackendFactory(name);
  if (factory === null || factory === undefined) {
    throw new BasicError(
      "E_BACKEND_MISSING",
      `startBackend: tfjs has no backend "${name}". Import the package that registers it first, for example "@tensorflow/tfjs-backend-${name}".`,
    );
  }
  const ownKernels = tf.getKernelsForBackend(name).filter(({ kernelName }) => kernelName.startsWith("Basic"));
  if (fallback !== "reference" && ownKernels.length === 0) {
    throw new BasicError(
      "E_BACKEND_START",
      `startBackend: the tfjs backend "${name}" has none of our kernels. Pass { fallback: "reference" } to run their slow compositions, or call startBackend("cpu").`,
    );
  }
  const reason = await tf.setBackend(name).then(
    (set) => (set ? undefined : "tf.setBackend returned false"),
    (error: unknown) => error,
  );
  if (reason !== undefined) throw startError(`tfjs:${name}`, reason);
  return { tfjsName: name, device: name };
}

/** Fails where products cannot be computed as asked. */
function requirePrecision(name: string, wanted: Precision = "f32", known: readonly Precision[] = ["f32"]) {
  if (known.includes(wanted)) return;
  throw startError(name, `it multiplies in ${known.join(" or ")}, not in ${wanted}`);
}

async function startPackage(name: string, options: StartBackendOptions): Promise<Started> {
  const { load = importPackage, precision, imagine } = options;
  const specifier = `@basic-mllm/backend-${name}`;
  const loaded = await settled(() => load(specifier)).catch((error: unknown) => {
    throw isMissing(error, specifier) ? missingError(name, specifier, error) : startError(name, error);
  });
  if (!isBackendModule(loaded)) {
    throw startError(name, `${specifier} exports no function start()`);
  }
  requirePrecision(name, precision, loaded.precisions);
  if (imagine !== undefined && loaded.imagines !== true) throw startError(name, "it cannot imagine a device");
  const settings = {
    ...(precision !== undefined && { precision }),
    ...(imagine !== undefined && { imagine }),
  };
  const given = Object.keys(settings).length === 0 ? [] : [settings];
  const tfjsName = await settled(() => loaded.start(...given)).catch((error: unknown) => {
    throw startError(name, error);
  });
  const threads = loaded.threads?.();
  return {
    tfjsName,
    device: loaded.describe?.() ?? tfjsName,
    ...(threads !== undefined && { threads }),
  };
}

/** A promise also where the call itself throws. */
async function settled<Value>(call: () => Promise<Value>): Promise<Value> {
  return call();
}

function importPackage(specifier: string): Promise<unknown> {
  return import(/* @vite-ignore */ /* webpackIgnore: true */ specifier);
}

function isBackendModule(module: unknown): module is BackendModule {
  return (
    typeof module === "object" && module !== null && "start" in module && typeof module.start === "function"
  );
}

/** Whether the package itself is absent: its name stands in the message by itself, not inside a path. */
function isMissing(error: unknown, specifier: string): boolean {
  return error instanceof Error && new RegExp(`(^|[^/\\w])${specifier}(?![/\\w-])`).test(error.message);
}

function missingError(name: string, specifier: string, cause: unknown): BasicError {
  const text = OURS.includes(name)
    ? `the backend "${name}" is not installed. Run: npm install ${specifier}, or use the backend "cpu".`
    : `there is no backend "${name}": no package ${specifier} is installed.${didYouMean(name, OURS)} Ours are ${OURS.join(", ")}; "tfjs:NAME" is one that was registered with TensorFlow.js.`;
  return new BasicError("E_BACKEND_MISSING", `startBackend: ${text}`, { cause });
}

function startError(name: string, reason: unknown): BasicError {
  const text = reason instanceof Error ? reason.message : String(reason);
  const plain = text.replace(/\.?( \[E_\w+\])?$/, "");
  const fix = name === "cpu" ? "" : ' Correct this, or use the backend "cpu".';
  return new BasicError(
    "E_BACKEND_START",
    `startBackend: the backend "${name}" did not start: ${plain}. There is no fallback to another backend.${fix}`,
    reason instanceof Error ? { cause: reason } : undefined,
  );
}

import { setFallback } from "@basic-mllm/core";
import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";

import { erf } from "./erf.js";
import { QuietCpu } from "./quiet-cpu.js";

const BACKEND = "float64";

/**
 * Runs `compute` in double precision: the oracle that float32 backends are compared with.
 *
 * The stock cpu kernels compute in JavaScript numbers and round only when they store, in arrays that they make with
 * the global `Float32Array`. During the call that global is `Float64Array`, the current backend is one of its own,
 * and contracts run their references. Everything is put back afterwards, also when `compute` throws.
 *
 * @param compute - Synchronous. Makes its tensors itself (float32 tensors of another backend would be moved for good)
 *   and returns those whose values are wanted; they are disposed, like everything else that was made in between.
 * @returns The values of the tensors, row-major.
 */
export function inFloat64(compute: () => readonly tf.Tensor[]): Float64Array[] {
  if (isFloat64()) return readAll(compute);
  registerBackend();
  const restore = enter();
  try {
    return readAll(compute);
  } finally {
    restore();
  }
}

function isFloat64(): boolean {
  return (globalThis.Float32Array as unknown) === Float64Array;
}

function readAll(compute: () => readonly tf.Tensor[]): Float64Array[] {
  const values: Float64Array[] = [];
  tf.tidy(() => {
    for (const tensor of compute()) values.push(Float64Array.from(tensor.dataSync()));
  });
  return values;
}

/** Puts double precision in place; returns what undoes it. */
function enter(): () => void {
  const { Float32Array: Single } = globalThis;
  const { platform } = tf.env();
  const { isTypedArray } = platform;
  const before = { backend: tf.getBackend(), fallback: setFallback("reference") };
  // Arrays that exist already stay Float32Array, so both must count as typed arrays.
  platform.isTypedArray = (a): a is Float32Array | Int32Array | Uint8Array | Uint8ClampedArray =>
    a instanceof Float64Array || isTypedArray.call(platform, a);
  use(BACKEND);
  globalThis.Float32Array = Float64Array as unknown as Float32ArrayConstructor;
  return () => {
    globalThis.Float32Array = Single;
    platform.isTypedArray = isTypedArray;
    setFallback(before.fallback);
    use(before.backend);
  };
}

/** tfjs sets a backend that starts synchronously, or has started, before its first await. */
function use(backend: string): void {
  void tf.setBackend(backend);
}

function registerBackend(): void {
  if (tf.findBackendFactory(BACKEND) !== null) return;
  tf.registerBackend(BACKEND, () => new QuietCpu(), 0);
  tf.copyRegisteredKernels("cpu", BACKEND);
  tf.unregisterKernel("Erf", BACKEND);
  // The stock erf is an approximation that is good to 1e-7.
  tf.registerKernel({
    kernelName: "Erf",
    backendName: BACKEND,
    kernelFunc: ({ inputs, backend }) => {
      const { x } = inputs as { x: tf.TensorInfo };
      const cpu = backend as MathBackendCPU;
      const values = Float32Array.from(cpu.readSync(x.dataId) as Float32Array, erf);
      return cpu.makeTensorInfo(x.shape, x.dtype, values);
    },
  });
}

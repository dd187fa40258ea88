import {
  type AccumulateAttrs,
  type AdamwAttrs,
  accumulate,
  adamw,
  implementKernel,
  squaredNorm,
} from "@basic-mllm/core";
import type * as tf from "@tensorflow/tfjs-core";

import { BACKEND_NAME, type CpuBackend } from "../backend.js";
import { implement, implementInPlace } from "./implement.js";

/** Tensors of a native call: WebAssembly takes 64 arrays. */
const NORM_TENSORS = 60;
const UPDATE_TENSORS = 15;

/** BasicAccumulate, BasicSquaredNorm and BasicAdamw. */
export function registerUpdates(): void {
  implementKernel<"sum" | "term", AccumulateAttrs, CpuBackend>({
    contract: accumulate,
    backend: BACKEND_NAME,
    run: ({ inputs: { sum, term }, backend }) =>
      backend.orRelease(() => {
        const target = toWrite(backend, sum);
        backend.native.accumulate(backend.floats(term), backend.floats(target));
        return asOutput(backend, sum, target);
      }),
  });
  implement(squaredNorm, ({ native, all, out }) => {
    const sum = out(0).fill(0);
    for (const some of parts(all(), NORM_TENSORS)) {
      native.squaredNorm(some.length, numbered(some), sum);
    }
  });
  implementInPlace(adamw, ({ inputs, attrs, backend }) => {
    const tensors = Array.from(attrs.learningRates, (learningRate, i) => ({
      learningRate,
      weightDecay: attrs.weightDecays[i] ?? 0,
      parameter: inputs[`parameter${i}`] as tf.TensorInfo,
      gradient: inputs[`gradient${i}`] as tf.TensorInfo,
      m: inputs[`m${i}`] as tf.TensorInfo,
      v: inputs[`v${i}`] as tf.TensorInfo,
    }));
    for (const some of parts(tensors, UPDATE_TENSORS))
      update(backend, some, { attrs, control: inputs.control });
    return tensors.flatMap(({ parameter, m, v }) => [parameter, m, v]);
  });
}

/** The tensor itself where nothing else holds its memory, else a copy: to write into. */
export function toWrite(backend: CpuBackend, tensor: tf.TensorInfo): tf.TensorInfo {
  return backend.isShared(tensor) ? copyOf(backend, tensor) : tensor;
}

/** What a kernel returns for `tensor` once it has written into {@link toWrite}'s. */
export function asOutput(backend: CpuBackend, tensor: tf.TensorInfo, target: tf.TensorInfo): tf.TensorInfo {
  return target === tensor ? backend.alias(tensor) : target;
}

function copyOf(backend: CpuBackend, tensor: tf.TensorInfo): tf.TensorInfo {
  const copy = backend.allocate(tensor.shape);
  copy.values.set(backend.floats(tensor));
  return copy;
}

interface UpdatedTensor {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly parameter: tf.TensorInfo;
  readonly gradient: tf.TensorInfo;
  readonly m: tf.TensorInfo;
  readonly v: tf.TensorInfo;
}

function update(
  backend: CpuBackend,
  tensors: readonly UpdatedTensor[],
  { attrs, control }: { attrs: AdamwAttrs; control: tf.TensorInfo },
): void {
  const { beta1, beta2, epsilon, step, moments } = attrs;
  const column = <T>(value: (tensor: UpdatedTensor) => T) => numbered(tensors.map(value));
  const shared = {
    count: tensors.length,
    learningRates: column(({ learningRate }) => learningRate),
    weightDecays: column(({ weightDecay }) => weightDecay),
    beta1,
    beta2,
    epsilon,
    step,
  };
  const parameters = column(({ parameter }) => backend.floats(parameter));
  const gradients = column(({ gradient }) => backend.floats(gradient));
  const values = backend.floats(control);
  if (moments === "float32") {
    const [m, v] = [
      column((tensor) => backend.floats(tensor.m)),
      column((tensor) => backend.floats(tensor.v)),
    ];
    backend.native.adamw(shared, parameters, gradients, m, v, values);
  } else {
    const m = column((tensor) => backend.integers(tensor.m));
    const v = column((tensor) => backend.integers(tensor.v));
    backend.native.adamwPacked(shared, moments, parameters, gradients, m, v, values);
  }
}

/** Cuts a list into parts of `most`. */
function parts<T>(list: readonly T[], most: number): readonly (readonly T[])[] {
  const count = Math.ceil(list.length / most);
  return Array.from({ length: count }, (_, i) => list.slice(i * most, (i + 1) * most));
}

/** `{ 0: …, 1: … }`: how native calls take lists. */
function numbered<T>(list: readonly T[]): Readonly<Record<number, T>> {
  return { ...list };
}

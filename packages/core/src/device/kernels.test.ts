import {
  type CachedAttentionAttrs,
  type CachedAttentionInput,
  cachedAttention,
  rmsNorm,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, expect, it } from "vitest";

import { type DeviceBackend, deviceKernels, withTensors } from "./kernels.js";

const NAME = "listed";

/** A backend whose device is a list of what it was asked for. */
class Listed implements DeviceBackend {
  readonly live = new Set<object>();
  readonly log: string[] = [];
  readonly shared = new Set<object>();

  allocate(
    shape: readonly number[],
    dtype: "float32" | "int32" = "float32",
    storage?: "f32" | "bf16",
  ): tf.TensorInfo {
    const dataId = {};
    if (storage !== undefined) this.log.push(`${storage} of ${shape.join()}`);
    this.live.add(dataId);
    return { dataId, shape: [...shape], dtype };
  }
  alias(tensor: tf.TensorInfo): tf.TensorInfo {
    this.log.push("alias");
    return { ...tensor };
  }
  copy(source: tf.TensorInfo, target: tf.TensorInfo): void {
    this.log.push(`copy ${source.shape.join()} to ${target.shape.join()}`);
  }
  isShared({ dataId }: tf.TensorInfo): boolean {
    return this.shared.has(dataId);
  }
  disposeData(dataId: object): boolean {
    return this.live.delete(dataId);
  }
  dispatch(program: string): void {
    this.log.push(program);
  }
}

const kernels = deviceKernels<Listed>(NAME);

function call(contract: { readonly name: string }, backend: Listed, inputs: object, attrs: object) {
  const kernel = tf.getKernel(contract.name, NAME);
  return [kernel.kernelFunc({ inputs, attrs, backend } as never)].flat() as tf.TensorInfo[];
}

afterEach(() => {
  for (const { kernelName } of tf.getKernelsForBackend(NAME)) tf.unregisterKernel(kernelName, NAME);
});

it("gives a body its outputs, and takes back what it made in between", () => {
  kernels.implement(rmsNorm, ({ backend, size, out, outputs, scratch, dispatch }) => {
    scratch([7], "int32");
    expect([size("x", 0), size("x", 1), out(1).shape, outputs.length]).toEqual([2, 3, [2], 2]);
    expect(backend.live.size).toBe(5);
    dispatch("norm");
  });
  const backend = new Listed();
  const inputs = { x: backend.allocate([2, 3]), weight: backend.allocate([3]) };
  const results = call(rmsNorm, backend, inputs, { epsilon: 1e-5, addOne: false });
  expect(results.map(({ shape }) => shape)).toEqual([[2, 3], [2]]);
  expect(backend.live.size).toBe(4);
  expect(backend.log).toEqual(["norm"]);
});

it("makes each output in the storage that it is to have", () => {
  kernels.implement(
    rmsNorm,
    ({ outputs }) => expect(outputs.length).toBe(2),
    ({ attrs }, index) => (index === 0 && !attrs.addOne ? "bf16" : "f32"),
  );
  const backend = new Listed();
  const inputs = { x: backend.allocate([2, 3]), weight: backend.allocate([3]) };
  call(rmsNorm, backend, inputs, { epsilon: 1e-5, addOne: false });
  expect(backend.log).toEqual(["bf16 of 2,3", "f32 of 2"]);
});

it("releases everything where a body throws", () => {
  const backend = new Listed();
  const fail = () =>
    withTensors(backend, (allocate, scratch) => {
      allocate([2]);
      scratch([3]);
      throw new Error("no");
    });
  expect(fail).toThrow("no");
  expect(backend.live.size).toBe(0);
});

it("writes keys and values in place, or into a copy of what others hold too", () => {
  kernels.implementWithCache<Exclude<CachedAttentionInput, "keys" | "values">, CachedAttentionAttrs>(
    cachedAttention,
    ({ inputs, buffers, y }) => {
      expect(buffers.keys).toBe(inputs.keys);
      expect(buffers.values).not.toBe(inputs.values);
      expect(y.shape).toEqual([1, 4]);
    },
  );
  const backend = new Listed();
  const [row, buffer] = [() => backend.allocate([1, 4]), () => backend.allocate([1, 8, 4])];
  const inputs = { q: row(), k: row(), v: row(), keys: buffer(), values: buffer() };
  backend.shared.add(inputs.values.dataId);
  const attrs = {
    offsets: Int32Array.of(0, 1),
    starts: Int32Array.of(2),
    ...{ heads: 2, kvHeads: 2, scale: 1, window: 0, softcap: 0 },
  };
  const [, keys, values] = call(cachedAttention, backend, inputs, attrs);
  expect(keys?.dataId).toBe(inputs.keys.dataId);
  expect(values?.dataId).not.toBe(inputs.values.dataId);
  expect(backend.log).toEqual(["copy 1,8,4 to 1,8,4", "alias"]);
});

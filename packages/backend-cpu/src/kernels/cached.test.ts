import {
  cachedAttention,
  createDecoder,
  type Decoder,
  type DecoderConfig,
  decoderConfig,
  type PackedRows,
  packers,
  randomValues,
  runKernel,
  type Storage,
  type ValueSource,
} from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it, vi } from "vitest";

import type { CpuBackend } from "../backend.js";
import { start } from "../start.js";

beforeAll(async () => {
  await start({ threads: 2 });
});

const attrs = {
  offsets: Int32Array.of(0, 1),
  starts: Int32Array.of(2),
  heads: 1,
  kvHeads: 1,
  scale: 1,
  window: 0,
  softcap: 0,
};

describe("buffers of keys and values", () => {
  const rows = () => ({ q: tf.ones([1, 2]), k: tf.fill([1, 2], 3), v: tf.fill([1, 2], 4) });

  it("are written in place where nothing else holds them", () => {
    const before = tf.memory().numTensors;
    const [inputs, keys, values] = [rows(), tf.zeros([1, 4, 2]), tf.zeros([1, 4, 2])];
    const [y, newKeys, newValues] = runKernel(
      cachedAttention,
      { ...inputs, keys, values },
      attrs,
    ) as tf.Tensor[];
    expect([newKeys?.dataId, newValues?.dataId]).toEqual([keys.dataId, values.dataId]);
    tf.dispose([keys, values]);
    expect([...(newKeys?.dataSync() ?? [])]).toEqual([0, 0, 0, 0, 3, 3, 0, 0]);
    tf.dispose([...Object.values(inputs), y, newKeys, newValues] as tf.Tensor[]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("are copied where another tensor shares them", () => {
    const [inputs, keys, values] = [rows(), tf.zeros([1, 4, 2]), tf.zeros([1, 4, 2])];
    const other = tf.reshape(keys, [4, 2]);
    const [y, newKeys, newValues] = runKernel(
      cachedAttention,
      { ...inputs, keys, values },
      attrs,
    ) as tf.Tensor[];
    expect(newKeys?.dataId).not.toBe(keys.dataId);
    expect([...other.dataSync()]).toEqual(new Array(8).fill(0));
    tf.dispose([...Object.values(inputs), keys, values, other, y, newKeys, newValues] as tf.Tensor[]);
  });
});

const sizes = {
  vocabularySize: 64,
  width: 64,
  depth: 2,
  heads: 4,
  keyValueHeads: 2,
  inner: 96,
  initialStd: 0.2,
};

function decoderOf(storage: Storage, config: Partial<DecoderConfig> = {}): Decoder {
  const floats = randomValues(1, { weight: 0.2, embedding: 1 });
  const packed = (name: string, shape: readonly number[]) =>
    storage === "f32" ? undefined : { storage, words: packers[storage](floats(name, shape, "weight")) };
  const values: ValueSource = Object.assign((...given: Parameters<ValueSource>) => floats(...given), {
    packed,
  });
  return createDecoder(decoderConfig({ ...sizes, ...config }), { values });
}

function rowsAt(start: number, count: number): PackedRows {
  const ids = Int32Array.from({ length: count }, (_, i) => (7 * (start + i)) % 64);
  return {
    ids,
    offsets: Int32Array.of(0, count),
    positions: ids.map((_, i) => start + i),
    images: [],
    countsAsText: ids.map(() => 1),
    labels: ids.map(() => -100),
  };
}

/** Hidden states of five rows at once, then of three, one by one. */
function hiddenStates(decoder: Decoder): readonly number[] {
  const cache = decoder.createCache();
  const steps = [rowsAt(0, 5), rowsAt(5, 1), rowsAt(6, 1), rowsAt(7, 1)];
  const values = steps.flatMap((packed) => {
    const { hidden } = decoder.forward({ packed, visual: null, cache });
    const read = [...hidden.dataSync()];
    hidden.dispose();
    return read;
  });
  cache.dispose();
  return values;
}

/** Runs the parts of every block: an adapter that adds nothing keeps the kernel for all of it away. */
function inParts(decoder: Decoder): readonly number[] {
  for (const linear of decoder.linears.values()) linear.adapter = { parameters: [], delta: () => null };
  const values = hiddenStates(decoder);
  for (const linear of decoder.linears.values()) linear.adapter = null;
  return values;
}

describe.each(["f32", "bf16", "f16", "q8_0", "q4_0", "q4_1"] as const)(
  "a block in one call, %s",
  (storage) => {
    it("gives the bits of its parts, on every instruction set and any number of threads", () => {
      const { native } = tf.backend() as CpuBackend;
      const [sets, used, threads] = [native.instructionSets(), native.instructionSet(), native.threadCount()];
      const decoder = decoderOf(storage, { windows: [0, 4], attentionSoftcap: 9 });
      const whole = vi.spyOn(native, "decoderBlock");
      try {
        for (const set of sets) {
          native.setInstructionSet(set);
          native.setThreadCount(1);
          const expected = inParts(decoder);
          expect(expected.every(Number.isFinite)).toBe(true);
          expect(whole).not.toHaveBeenCalled();
          for (const count of [1, 2, 4]) {
            native.setThreadCount(count);
            expect(hiddenStates(decoder)).toEqual(expected);
            expect(whole).toHaveBeenCalledTimes(4 * decoder.depth);
            whole.mockClear();
          }
        }
      } finally {
        whole.mockRestore();
        native.setInstructionSet(used);
        native.setThreadCount(threads);
        decoder.parameters.dispose();
      }
    });
  },
);

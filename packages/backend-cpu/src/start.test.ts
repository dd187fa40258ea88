import { createFeatureSource, type Precision, type VisionEncoder } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, it, vi } from "vitest";

import { native } from "./native.js";
import { resolveInstructionSet } from "./settings.js";
import { start } from "./start.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("start", () => {
  it("makes the native backend the current one, again and again", async () => {
    expect(await start({ threads: 1 })).toBe("basiccpu");
    expect(tf.getBackend()).toBe("basiccpu");
    const backend = tf.backend();
    expect(await start({ threads: 3 })).toBe("basiccpu");
    expect(tf.backend()).toBe(backend);
    expect(native().threadCount()).toBe(3);
  });

  it("takes the number of threads from the option, then from the environment, then from the machine", async () => {
    vi.stubEnv("BASIC_MLLM_THREADS", "2");
    await start({ threads: 1 });
    expect(native().threadCount()).toBe(1);
    await start();
    expect(native().threadCount()).toBe(2);
    vi.stubEnv("BASIC_MLLM_THREADS", "");
    await start();
    expect(native().threadCount()).toBeGreaterThanOrEqual(1);
  });

  it("refuses a number of threads that is no count", async () => {
    await expect(start({ threads: 0 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The CPU backend needs a number of threads from 1 to 1024, but the option \`threads\` is 0. Give a whole number, or leave it out to use all CPUs. [E_BACKEND_START]]`,
    );
    vi.stubEnv("BASIC_MLLM_THREADS", "many");
    await expect(start()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The CPU backend needs a number of threads from 1 to 1024, but BASIC_MLLM_THREADS (the environment variable, or \`--threads\` of a command) is "many". Give a whole number, or leave it out to use all CPUs. [E_BACKEND_START]]`,
    );
  });
});

describe("precision", () => {
  const x = [1.004, 1 + 2 ** -8 + 2 ** -9, -3.3, 0.1];
  const product = () =>
    tf.tidy(() => tf.matMul(tf.tensor2d(x, [4, 1]), tf.tensor2d(x, [4, 1]), false, true).dataSync());

  it("rounds the operands of products to bfloat16 when asked to, and only then", async () => {
    // Neighbours of 1 are 2^-7 apart: 1.004 is nearer to the one above.
    const rounded = [1.0078125, 1.0078125, -3.296875, 0.10009765625];
    await start({ precision: "bf16" });
    expect(native().bf16Products()).toBe(true);
    expect([...product()]).toEqual(rounded.flatMap((a) => rounded.map((b) => Math.fround(a * b))));
    await start();
    const exact = x.map(Math.fround);
    expect([...product()]).toEqual(exact.flatMap((a) => exact.map((b) => Math.fround(a * b))));
  });

  it("is part of the id of features, so that a cache never mixes precisions", async () => {
    const encoder = { parameters: [], width: 4, imageSize: 8 } as unknown as VisionEncoder;
    const idIn = async (precision: Precision) => {
      await start({ precision });
      return (await createFeatureSource(encoder, "layer1")).id;
    };
    const exact = await idIn("f32");
    expect(exact).toMatch(/^layer1-[0-9a-f]{16}$/);
    expect(await idIn("bf16")).toBe(`${exact}-products1.0078125`);
    expect(await idIn("f32")).toBe(exact);
  });

  it("comes from the option, then from the environment", async () => {
    vi.stubEnv("BASIC_MLLM_PRECISION", "bf16");
    await start();
    expect(native().bf16Products()).toBe(true);
    await start({ precision: "f32" });
    expect(native().bf16Products()).toBe(false);
  });

  it("refuses a precision that there is not", async () => {
    vi.stubEnv("BASIC_MLLM_PRECISION", "fp8");
    await expect(start()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The CPU backend multiplies in "f32" or "bf16", but the environment variable BASIC_MLLM_PRECISION is "fp8". Give one of these, or leave it out for f32. [E_BACKEND_START]]`,
    );
  });
});

describe("the instruction set", () => {
  it("is taken from the option, then from the environment, then the best", async () => {
    const [best, ...others] = native().instructionSets();
    const last = others.at(-1) ?? best;
    vi.stubEnv("BASIC_MLLM_SIMD", last);
    await start();
    expect(native().instructionSet()).toBe(last);
    await start({ instructionSet: best as string });
    expect(native().instructionSet()).toBe(best);
    vi.stubEnv("BASIC_MLLM_SIMD", "");
    await start();
    expect(native().instructionSet()).toBe(best);
  });

  it("is refused where the CPU lacks it or there is no such thing", async () => {
    expect(() => resolveInstructionSet("avx512", ["avx2", "baseline"])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The CPU backend can use the instruction sets avx2, baseline on this CPU, but the option \`instructionSet\` is "avx512". Give one of these, or leave it out to use avx2. [E_BACKEND_START]]`,
    );
    vi.stubEnv("BASIC_MLLM_SIMD", "mmx");
    expect(() => resolveInstructionSet(undefined, ["avx2", "baseline"])).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The CPU backend can use the instruction sets avx2, baseline on this CPU, but the environment variable BASIC_MLLM_SIMD is "mmx". Give one of these, or leave it out to use avx2. [E_BACKEND_START]]`,
    );
    await expect(start()).rejects.toThrow('BASIC_MLLM_SIMD is "mmx"');
    expect(() => native().setInstructionSet("mmx")).toThrow('no instruction set "mmx": this CPU has');
  });
});

/** A step of a small network, with every kind of work that is shared out. */
function results(): number[] {
  return tf.tidy(() => {
    const x = tf.randomNormal([513, 700], 0, 1, "float32", 1);
    const w = tf.randomNormal([700, 301], 0, 1, "float32", 2);
    const y = tf.matMul(x, w);
    const batch = tf.matMul(tf.reshape(x, [27, 19, 700]), tf.reshape(x, [27, 19, 700]), false, true);
    const all = [
      y,
      batch,
      tf.matMul(x, x, true),
      tf.softmax(y),
      tf.sum(y, 0),
      tf.sum(y, 1),
      tf.mean(y),
      tf.transpose(y),
      tf.tanh(y),
      tf.unsortedSegmentSum(x, tf.range(0, 513, 1, "int32"), 513),
    ];
    return all.flatMap((tensor) => [...new Int32Array(tensor.dataSync().buffer)]);
  });
}

it("computes the same bits whatever the number of threads", async () => {
  await start({ threads: 1 });
  const expected = results();
  for (const threads of [2, 3, 8]) {
    await start({ threads });
    const actual = results();
    expect(actual.length).toBe(expected.length);
    expect(actual.findIndex((bits, i) => bits !== expected[i])).toBe(-1);
  }
});

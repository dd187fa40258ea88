import { createDecoder, decoderConfig, valueAndGradients } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, it } from "vitest";

import { type CudaBackend, defineProgram, start, startedBackend, stop } from "../src/index.js";
import { bf16Bits, storageOf } from "../src/memory/storage.js";
import { errorOf, fake, startOnEmulator } from "./emulator.js";

afterAll(() => {
  stop();
  fake.reset();
});

/** Ties to both sides, subnormals, the largest float, infinities and a NaN with a small payload. */
const BITS = [
  ...[0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x3f80_7fff, 0xbf80_8000, 0x0000_8001, 0x8000_0001],
  ...[0x7f7f_ffff, 0x7f80_0000, 0xff80_0000, 0x7f80_0001, 0xffff_ffff, 0x0000_0000, 0x8000_0000],
];
const ROUNDED = [
  ...[0x3f80, 0x3f82, 0x3f81, 0x3f80, 0xbf80, 0x0001, 0x8000],
  ...[0x7f80, 0x7f80, 0xff80, 0x7fff, 0x7fff, 0x0000, 0x8000],
];

function tensorOf(info: tf.TensorInfo): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(info);
}

/** The upper halves of a tensor's float bits. */
async function bitsOf(info: tf.TensorInfo): Promise<number[]> {
  const values = (await tensorOf(info).data()) as Float32Array;
  return Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);
}

function inBf16(backend: CudaBackend, x: tf.TensorInfo): tf.TensorInfo {
  const copy = backend.allocate(x.shape, "float32", "bf16");
  backend.copy(x, copy);
  return copy;
}

const OPTIONS = { precision: "bf16", exactMemory: true } as const;

describe("a tensor in bfloat16", () => {
  it("the host rounds to the nearest, ties to even, and every NaN to one", () => {
    expect(BITS.map(bf16Bits)).toEqual(ROUNDED);
  });

  it.each([75, 90])("a kernel rounds as the host does on sm_%i, and widens exactly", async (capability) => {
    stop();
    fake.reset();
    fake.configure({ computeCapability: capability });
    const backend = await startOnEmulator({ exactMemory: true });
    for (const count of [BITS.length, 3, 1, 0]) {
      const values = new Float32Array(Uint32Array.from(BITS.slice(0, count)).buffer);
      const copy = inBf16(backend, tf.tensor1d(values));
      expect(await bitsOf(copy)).toEqual(ROUNDED.slice(0, count));
      const wide = backend.allocate([count]);
      backend.copy(copy, wide);
      expect(await bitsOf(wide)).toEqual(ROUNDED.slice(0, count));
    }
  });

  it("has two bytes an element, and is read as float32, also at once", async () => {
    stop();
    fake.reset();
    const backend = await startOnEmulator(OPTIONS);
    const before = backend.allocator.statistics.usedBytes;
    const x = backend.allocate([3, 5], "float32", "bf16");
    expect(backend.allocator.statistics.usedBytes - before).toBe(30);
    backend.fill(x, 0x3fc0_0000);
    expect(tensorOf(x).dataSync()).toEqual(new Float32Array(15).fill(1.5));
  });

  it("is copied and filled by parts, and seen under other shapes", async () => {
    const backend = await startOnEmulator(OPTIONS);
    const x = inBf16(backend, tf.range(0, 12));
    const y = backend.allocate([12], "float32", "bf16");
    backend.fill(y, 0);
    backend.copy({ tensor: x, offset: 3, length: 5 }, { tensor: y, offset: 6, length: 5 });
    backend.fill({ tensor: y, offset: 1, length: 2 }, 0x4000_0000);
    const wide = backend.allocate([7]);
    backend.copy({ tensor: x, offset: 5, length: 7 }, wide);
    expect(Array.from(await tensorOf(y).data())).toEqual([0, 2, 2, 0, 0, 0, 3, 4, 5, 6, 7, 0]);
    expect(Array.from(await tensorOf(wide).data())).toEqual([5, 6, 7, 8, 9, 10, 11]);
    const reshaped = tf.reshape(tensorOf(x), [3, 4]);
    expect(storageOf(reshaped)).toBe("bf16");
    expect((await reshaped.array()) as number[][]).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ]);
  });

  it("says where integers are asked for in it, and where a kernel does not read it", async () => {
    const backend = await startOnEmulator(OPTIONS);
    const [x, y] = [backend.allocate([4], "float32", "bf16"), backend.allocate([4])];
    const define = (type: "pointer" | "activation") =>
      defineProgram({
        name: "sum",
        source: "",
        entry: "sum",
        params: { x: type, y: type },
        block: 32,
        work: () => ({ bytes: 0, flops: 0 }),
      });
    const run = (type: "pointer" | "activation") => () =>
      backend.dispatch(define(type), { grid: [1], args: { x, y } });
    const errors = [() => backend.allocate([2], "int32", "bf16"), run("pointer"), run("activation")];
    expect(await Promise.all(errors.map(errorOf))).toMatchInlineSnapshot(`
      [
        "A tensor of dtype int32 was asked for in bf16, which keeps float32 values only. Leave the storage out. [E_KERNEL_FAILED]",
        "The kernel "sum" reads "x" as f32, and it is kept in bf16. Say what the body reads where the contract is implemented (\`Storages\`), or convert the tensor with \`backend.copy\`. [E_KERNEL_FAILED]",
        "The kernel "sum" takes activations that are kept alike, and "y" is in f32 beside bf16. Say what the body reads where the contract is implemented (\`Storages\`), or convert the tensor with \`backend.copy\`. [E_KERNEL_FAILED]",
      ]
    `);
  });

  it("of a decoder, what waits for the gradient takes half", async () => {
    const [exact, rounded] = [await keptBytes("f32"), await keptBytes("bf16")];
    // Beside activations, a norm keeps a number a row, and attention one a head, in float32.
    expect(rounded / exact).toBeGreaterThan(0.5);
    expect(rounded / exact).toBeLessThan(0.52);
  });
});

/** Bytes that a forward pass of a decoder leaves for the gradient. */
async function keptBytes(precision: "f32" | "bf16"): Promise<number> {
  stop();
  await start({ imagine: 8e9, precision });
  const { allocator } = startedBackend();
  const sizes = { vocabularySize: 32, width: 256, depth: 2, heads: 2, inner: 512 };
  const decoder = createDecoder(decoderConfig(sizes), { seed: 1 });
  const rows = 256;
  const packed = {
    ids: new Int32Array(rows),
    labels: new Int32Array(rows).fill(-100),
    offsets: Int32Array.of(0, rows),
    positions: Int32Array.from({ length: rows }, (_, i) => i),
    images: [],
    countsAsText: new Int32Array(rows).fill(1),
  };
  const before = allocator.statistics.usedBytes;
  let kept = 0;
  const loss = () => {
    const { hidden } = decoder.forward({ packed, visual: null });
    kept = allocator.statistics.usedBytes - before;
    return tf.sum(hidden) as tf.Scalar;
  };
  const found = valueAndGradients(
    loss,
    [...decoder.parameters].map(({ value }) => value),
  );
  tf.dispose([found.value, ...found.gradients]);
  decoder.parameters.dispose();
  return kept;
}

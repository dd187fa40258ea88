import { attention, runKernel, valueAndGradients } from "@basic-mllm/core";
import { buildFakeLibraries } from "@basic-mllm/cuda-emulator";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import {
  BACKEND_NAME,
  describe as device,
  probe,
  type RehearsedWork,
  type StartOptions,
  start,
  startedBackend,
  stop,
} from "../src/index.js";
import { emulated, errorOf, fake, startOnEmulator } from "./emulator.js";

beforeEach(() => {
  stop();
  fake.reset();
});
afterEach(() => {
  stop();
  fake.reset();
  vi.unstubAllEnvs();
});

const errorOfStart = async (options: StartOptions = {}) => errorOf(() => start(emulated(options)));

describe("start", () => {
  it("makes the backend current and says what the device is", async () => {
    await startOnEmulator();
    expect(tf.getBackend()).toBe(BACKEND_NAME);
    expect(await start()).toBe(BACKEND_NAME);
    expect(device()).toMatch(
      / \(sm_90, [\d.]+ [MG]iB, driver for CUDA 12\.9, NVRTC 12\.9, cuBLASLt 1\d\.\d+\)$/,
    );
    expect(await probe({ libraries: { nccl: "/nowhere/libnccl.so.2" } })).toContain(
      `${device()}; one GPU only: NCCL`,
    );
  });

  it("says that activations are in bfloat16", async () => {
    await startOnEmulator({ precision: "bf16" });
    expect(device()).toMatch(/cuBLASLt 1\d\.\d+\); activations and factors of products in bf16$/);
  });

  it("says that products are in TF32", async () => {
    await startOnEmulator({ precision: "tf32" });
    expect(device()).toMatch(/cuBLASLt 1\d\.\d+\); factors of products in tf32$/);
  });

  it("gives the device back on stop, and may start again", async () => {
    const before = fake.statistics().liveAllocations;
    const first = await startOnEmulator();
    const x = tf.ones([1000]);
    expect((await x.data())[999]).toBe(1);
    stop();
    expect(fake.statistics().liveAllocations).toBe(before);
    await startOnEmulator();
    expect(startedBackend()).not.toBe(first);
  });

  it("probe starts nothing", async () => {
    const before = tf.getBackend();
    const { libraries } = emulated();
    const { nccl } = await buildFakeLibraries();
    expect(await probe({ libraries: { ...libraries, nccl } })).toMatch(
      / \(sm_90, [^;]+\); NCCL 2\.\d+\.\d+$/,
    );
    expect(tf.getBackend()).toBe(before);
    expect(() => device()).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The CUDA backend has not been started. Call start() first. [E_BACKEND_START]]`,
    );
  });
});

describe("an imagined GPU", () => {
  it("needs no driver: memory is counted, and nothing is computed", async () => {
    await start({ imagine: 80e9 });
    const backend = startedBackend();
    expect(device()).toMatchInlineSnapshot(
      `"an imagined GPU with 74.5 GiB: no device was looked at, and nothing is computed"`,
    );
    const x = tf.ones([1000, 1000]);
    const product = tf.matMul(x, x);
    expect((await product.data())[0]).toBe(0);
    expect(backend.deviceMemory()).toEqual({ usedBytes: expect.any(Number), totalBytes: 80e9 });
    expect(backend.deviceMemory().usedBytes).toBeGreaterThanOrEqual(8e6);
    const grown = await backend.rehearse(async () => {
      backend.disposeData(backend.allocate([2 ** 30]).dataId);
    });
    expect(grown).toBe(2 ** 32 + 32 * 2 ** 20);
    expect(backend.session.launches).toBe(0);
    expect(fake.statistics().calls).toEqual({});
  });

  it("may keep activations in bfloat16", async () => {
    await start({ imagine: 80e9, precision: "bf16" });
    expect(device()).toMatchInlineSnapshot(
      `"an imagined GPU with 74.5 GiB: no device was looked at, and nothing is computed; activations and factors of products in bf16"`,
    );
    expect(startedBackend().precision).toBe("bf16");
  });

  it("tells who watches what would run", async () => {
    await start({ imagine: 80e9 });
    const backend = startedBackend();
    const works: RehearsedWork[] = [];
    backend.watchRehearsal = (work) => works.push(work);
    tf.matMul(tf.ones([10, 20]), tf.ones([20, 30]));
    const product = { name: "product nn", kind: "product", shape: [10, 30, 20], factors: "f32" };
    expect(works).toEqual([{ ...product, bytes: 4 * (200 + 600 + 300), flops: 12_000 }]);
  });

  it("multiplies in the precision that it is started with, attention too", async () => {
    await start({ imagine: 80e9, precision: "tf32" });
    const backend = startedBackend();
    const works: RehearsedWork[] = [];
    const x = tf.ones<tf.Rank.R2>([64, 128]);
    backend.watchRehearsal = (work) => works.push(work);
    const offsets = Int32Array.of(0, 64);
    const attrs = { heads: 1, kvHeads: 1, scale: 1, causal: true, window: 0, softcap: 0 };
    runKernel(attention, { q: x, k: x, v: x }, { ...attrs, qOffsets: offsets, kvOffsets: offsets });
    expect(works).toEqual([
      expect.objectContaining({ name: "attention in tf32, 64 rows, heads of 4 chunks", units: "tf32" }),
    ]);
  });

  it("gets no zeros from the host for outputs that no loss depends on", async () => {
    await start({ imagine: 80e9 });
    const x = tf.ones<tf.Rank.R2>([64, 128]);
    const offsets = Int32Array.of(0, 64);
    const attrs = { heads: 1, kvHeads: 1, scale: 1, causal: true, window: 0, softcap: 0 };
    const loss = (): tf.Scalar => {
      const packed = { ...attrs, qOffsets: offsets, kvOffsets: offsets };
      return tf.sum(runKernel(attention, { q: x, k: x, v: x }, packed)[0] as tf.Tensor);
    };
    const [write, move] = (["write", "move"] as const).map((name) => vi.spyOn(startedBackend(), name));
    expect(valueAndGradients(loss, [x]).gradients[0]?.shape).toEqual([64, 128]);
    expect([...(write?.mock.calls ?? []), ...(move?.mock.calls ?? [])]).toEqual([]);
  });

  it("has some memory", async () => {
    expect(await errorOf(() => start({ imagine: 0 }))).toMatchInlineSnapshot(
      `"The memory of a GPU to imagine is a number of bytes above 0, got 0. Give \`imagine\` such a number, or leave it out. [E_BACKEND_START]"`,
    );
  });
});

describe("a start that fails says why, and what to do", () => {
  it("without a driver", async () => {
    expect(await errorOfStart({ libraries: { cuda: "/none/libcuda.so.1" } })).toMatchInlineSnapshot(
      `"There is no NVIDIA driver here (/none/libcuda.so.1: Failed to load shared library: cannot open shared object file: No such file or directory). Install the driver, 525 or newer; in a container, run it with the NVIDIA Container Toolkit (\`--gpus all\`); under WSL, install the driver in Windows. [E_BACKEND_START]"`,
    );
    vi.stubEnv("BASIC_MLLM_CUDA_LIBRARIES", "/none/of/these");
    const text = await errorOf(() => start({ libraries: { nvrtc: "/none" } }));
    expect(text).toMatch(
      /^There is no NVIDIA driver here \(libcuda\.so\.1: .+\)\. Also looked in \/none\/of\/these, /,
    );
  });

  it("with a driver that is too old", async () => {
    fake.configure({ driverVersion: 11080 });
    expect(await errorOfStart()).toMatchInlineSnapshot(
      `"The NVIDIA driver is too old: it knows CUDA 11.8, and 12.0 is needed (driver 525 or newer). Update the driver. [E_BACKEND_START]"`,
    );
  });

  it("without a device", async () => {
    fake.configure({ devices: 0 });
    vi.stubEnv("CUDA_VISIBLE_DEVICES", "");
    expect(await errorOfStart()).toMatchInlineSnapshot(
      `"There is no CUDA device: CUDA_ERROR_NO_DEVICE. See whether \`nvidia-smi -L\` lists one, and whether CUDA_VISIBLE_DEVICES ("") hides it. [E_BACKEND_START]"`,
    );
  });

  it("with a device index out of range", async () => {
    expect(await errorOfStart({ device: 3 })).toMatchInlineSnapshot(
      `"There is no CUDA device 3: this machine has 1 (0: CUDA emulator 0). Give an index from 0 to 0. [E_BACKEND_START]"`,
    );
    expect(await errorOfStart({ device: -1 })).toContain("There is no CUDA device -1: ");
    expect(await errorOfStart({ device: 0.5 })).toContain("There is no CUDA device 0.5: ");
  });

  it("with a device that is too old", async () => {
    fake.configure({ computeCapability: 70 });
    expect(await errorOfStart()).toMatchInlineSnapshot(
      `"The CUDA device "CUDA emulator 0" is too old: its compute capability is 7.0, and 7.5 (Turing) is needed. Use a newer GPU. [E_BACKEND_START]"`,
    );
  });

  it("without the compiler", async () => {
    expect(await errorOfStart({ libraries: { nvrtc: "/none/libnvrtc.so.12" } })).toMatch(
      /^CUDA's run-time compiler \(NVRTC\) was not found\. Looked for \/none\/libnvrtc\.so\.12: .+; and in .+\. Install it with `pip install nvidia-cuda-nvrtc-cu12` in an active virtual environment, install the CUDA toolkit, or name its folder in BASIC_MLLM_CUDA_LIBRARIES\. \[E_BACKEND_START\]$/s,
    );
  });

  it("without cuBLASLt", async () => {
    expect(await errorOfStart({ libraries: { cublasLt: "/none/libcublasLt.so.12" } })).toMatch(
      /^cuBLASLt was not found\. Looked for \/none\/libcublasLt\.so\.12: .+`pip install nvidia-cublas-cu12`/s,
    );
  });

  it("with a library that is something else", async () => {
    const { libraries } = emulated();
    const text = await errorOfStart({ libraries: { nvrtc: `${libraries?.cuda}` } });
    expect(text).toMatch(/Cannot find function 'nvrtcVersion' in shared library/);
  });

  it("with a precision that it does not have", async () => {
    expect(await errorOfStart({ precision: "fp8" as "f32" })).toMatchInlineSnapshot(
      `"The CUDA backend computes in f32, tf32 or bf16, not in "fp8". Leave \`precision\` out for f32. [E_BACKEND_START]"`,
    );
    expect(await errorOf(() => start({ imagine: 1e9, precision: "fp8" as "f32" }))).toContain('not in "fp8"');
    fake.configure({ computeCapability: 75 });
    expect(await errorOfStart({ precision: "bf16" })).toMatchInlineSnapshot(
      `"The precision bf16 needs a GPU of compute capability 8.0 (Ampere) or newer, but "CUDA emulator 0" has 7.5. Leave \`precision\` out for f32. [E_BACKEND_START]"`,
    );
  });

  it.each([
    ["cuInit", 34],
    ["cuInit", 803],
    ["cuInit", 999],
    ["cuDeviceGetCount", 999],
    ["cuDeviceGetName", 1],
    ["cuDevicePrimaryCtxRetain", 46],
    ["cuDevicePrimaryCtxRetain", 2],
    ["cuCtxSetCurrent", 201],
    ["cuStreamCreate", 2],
    ["cuMemPoolSetAttribute", 1],
  ])("where %s answers %d", async (name, code) => {
    fake.inject(name, 1, code);
    const text = await errorOfStart();
    expect(text).toMatchSnapshot();
    // Nothing is left that stands in the way of the next start.
    fake.reset();
    await startOnEmulator();
    expect((await tf.ones([3]).data())[2]).toBe(1);
  });
});

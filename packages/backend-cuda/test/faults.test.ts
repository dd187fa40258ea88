import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { type CudaBackend, defineProgram, stop } from "../src/index.js";
import { errorOf, fake, startOnEmulator } from "./emulator.js";

const ILLEGAL_ADDRESS = 700;

const add = defineProgram({
  name: "add one",
  source:
    'extern "C" __global__ void add(const float* x, float* y, int n) { int i = threadIdx.x; if (i < n) y[i] = x[i] + 1.0f; }',
  entry: "add",
  params: { x: "pointer", y: "pointer", n: "i32" },
  block: 32,
  work: ({ n }) => ({ bytes: 8 * n, flops: n }),
});
/** Writes far beyond its array, which the device sees when it runs. */
const astray = defineProgram({
  ...add,
  name: "astray",
  source: add.source.replace("y[i] =", "y[i + (1 << 28)] ="),
});
const twice = defineProgram({ ...add, name: "twice", source: add.source.replace("+ 1.0f", "* 2.0f") });

let backend: CudaBackend;
beforeEach(async () => {
  fake.reset();
  backend = await startOnEmulator();
});
afterEach(() => {
  stop();
  fake.reset();
});

/** Runs a program over a tensor. */
function run(program: typeof add, x: tf.TensorInfo): tf.TensorInfo {
  const y = backend.allocate(x.shape);
  const n = x.shape[0] ?? 0;
  backend.dispatch(program, { grid: [1], args: { x, y, n } });
  return y;
}

const read = async (x: tf.TensorInfo) => Array.from((await backend.read(x.dataId)) as Float32Array);

describe("a kernel that goes wrong", () => {
  it("is named by the next read, and everything after it fails the same way", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    expect(await read(run(add, x))).toEqual([2, 3, 4]);
    const y = run(astray, x);
    const text = await errorOf(() => read(y));
    expect(text).toMatchInlineSnapshot(
      `"The kernel "astray" read or wrote memory outside of its arrays on the CUDA device "CUDA emulator 0" (CUDA_ERROR_ILLEGAL_ADDRESS from cuEventQuery). All tensors on it are gone; start again from the last checkpoint. Report this with the shapes that it was given. [E_KERNEL_FAILED]"`,
    );
    expect(await errorOf(() => tf.ones([3]))).toBe(text);
    expect(await errorOf(() => run(add, x))).toBe(text);
    expect(await errorOf(() => backend.readSync(x.dataId))).toBe(text);
  });

  it("is among those that are named where several ran", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    run(add, x);
    const y = run(astray, x);
    expect(await errorOf(() => read(y))).toMatchInlineSnapshot(
      `"One of the last 2 kernels ("add one", "astray") read or wrote memory outside of its arrays on the CUDA device "CUDA emulator 0" (CUDA_ERROR_ILLEGAL_ADDRESS from cuEventQuery). All tensors on it are gone; start again from the last checkpoint. To learn which one it was, start with { synchronous: true } (BASIC_MLLM_CUDA_SYNCHRONOUS=1). Report this with the shapes that it was given. [E_KERNEL_FAILED]"`,
    );
  });

  it("is named exactly when every launch is waited for", async () => {
    backend = await startOnEmulator({ synchronous: true });
    const x = tf.tensor1d([1, 2, 3]);
    run(add, x);
    expect(await errorOf(() => run(astray, x))).toMatchInlineSnapshot(
      `"The kernel "astray" read or wrote memory outside of its arrays on the CUDA device "CUDA emulator 0" (CUDA_ERROR_ILLEGAL_ADDRESS from cuStreamSynchronize). All tensors on it are gone; start again from the last checkpoint. Report this with the shapes that it was given. [E_KERNEL_FAILED]"`,
    );
  });

  it.each([
    ["cuLaunchKernel", 1],
    ["cuLaunchKernel", 701],
    ["cuLaunchKernel", ILLEGAL_ADDRESS],
    ["cuStreamSynchronize", 214],
    ["cuStreamSynchronize", 702],
    ["cuStreamSynchronize", 715],
    ["cuStreamSynchronize", 999],
    ["cuMemcpyDtoHAsync", 719],
    ["cuMemHostAlloc", 2],
    ["cuMemcpyDtoHAsync", 1],
  ])("where %s answers %d", async (name, code) => {
    const x = tf.tensor1d([1, 2, 3]);
    fake.inject(name, 1, code);
    const text = await errorOf(() => backend.readSync(run(add, x).dataId));
    expect(text).toMatchSnapshot();
  });

  it("leaves nothing behind: another start works", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    await errorOf(() => read(run(astray, x)));
    stop();
    fake.reset();
    backend = await startOnEmulator();
    expect(await read(run(add, tf.tensor1d([1, 2, 3])))).toEqual([2, 3, 4]);
  });

  it("fails an asynchronous read where the event is what says so", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    fake.inject("cuEventQuery", 1, ILLEGAL_ADDRESS);
    expect(await errorOf(() => read(run(add, x)))).toContain(
      'The kernel "add one" read or wrote memory outside',
    );
  });
});

describe("a read that waits", () => {
  const NOT_READY = 600;

  it.each([
    ["not done", [NOT_READY]],
    ["done", []],
  ])(
    "for a copy that is %s ends when the backend is stopped, and asks the driver nothing more",
    async (_, codes) => {
      const x = tf.tensor1d([1, 2, 3]);
      for (const code of codes) fake.inject("cuEventQuery", 1, code);
      const reading = errorOf(() => read(run(add, x)));
      stop();
      fake.reset();
      fake.startLog();
      expect(await reading).toBe(
        "The CUDA backend was stopped, and something still waited for its device or asked it for more. Wait for values that are being read (data(), array()) before stop(); to go on, start the backend again and make the tensors anew. [E_CONFIG]",
      );
      expect(fake.log()).toEqual([]);
    },
  );

  it("leaves no event alive, even where a kernel has failed", async () => {
    fake.startLog();
    await errorOf(() => read(run(astray, tf.tensor1d([1, 2, 3]))));
    stop();
    const calls = (name: string) => fake.log().filter((line) => line.includes(name)).length;
    expect(calls("cuEventCreate")).toBeGreaterThan(0);
    expect(calls("cuEventDestroy")).toBe(calls("cuEventCreate"));
  });
});

describe("a program that does not fit", () => {
  it("does not compile: the kernel, its lines and the compiler's words", async () => {
    const broken = defineProgram({
      ...add,
      name: "broken one",
      source: `// nothing here\n\n${add.source.replace("y[i] =", "z[i] =")}`,
    });
    expect(await errorOf(() => run(broken, tf.ones([3])))).toMatchInlineSnapshot(`
      "The kernel "broken one" does not compile (NVRTC 12.9, compute_90):
      NVRTC_ERROR_COMPILATION
      broken-one.cu(3): error: identifier "z" is undefined
        extern "C" __global__ void add(const float* x, float* y, int n) { int i = threadIdx.x; if (i < n) z[i] = x[i] + 1.0f; }
                                                                                                          ^

      1 error detected in the compilation of "broken-one.cu".

      broken-one.cu:
        1 | // nothing here
        2 | 
      > 3 | extern "C" __global__ void add(const float* x, float* y, int n) { int i = threadIdx.x; if (i < n) z[i] = x[i] + 1.0f; }
      Report this with the output of \`basic-mllm doctor\`, or use the backend "cpu". [E_KERNEL_FAILED]"
    `);
  });

  it("lacks its function", async () => {
    expect(
      await errorOf(() => run({ ...add, name: "other", entry: "other" }, tf.ones([3]))),
    ).toMatchInlineSnapshot(
      `"The CUDA program "other" has no function "other". Declare it in its source as extern "C" __global__. [E_KERNEL_FAILED]"`,
    );
  });

  it("has the name of another one", async () => {
    run(add, tf.ones([3]));
    expect(await errorOf(() => run({ ...twice, name: "add one" }, tf.ones([3])))).toMatchInlineSnapshot(
      `"Two different CUDA programs are called "add one". Give each variant of a kernel its own name. [E_KERNEL_DUPLICATE]"`,
    );
  });

  it("needs more shared memory than there is", async () => {
    const x = tf.ones([3]);
    const launch = { grid: [1] as const, args: { x, y: x, n: 3 }, sharedBytes: 300_000 };
    expect(await errorOf(() => backend.dispatch(add, launch))).toMatchInlineSnapshot(
      `"The kernel "add one" needs 300000 bytes of shared memory a block, but "CUDA emulator 0" has 232448. Use smaller heads or rows, or a newer GPU. [E_KERNEL_FAILED]"`,
    );
    backend.dispatch(add, { ...launch, sharedBytes: 100_000 });
    expect(await read(x)).toEqual([2, 2, 2]);
  });

  it("is PTX that is too new for the driver", async () => {
    fake.configure({ driverVersion: 12_000 });
    expect(await errorOf(() => run({ ...add, name: "new" }, tf.ones([3])))).toMatchInlineSnapshot(
      `"The NVIDIA driver is too old for the compiler: it knows CUDA 12.0, and the PTX is from NVRTC 12.9 (NVRTC). Update the driver, or install an NVRTC of CUDA 12.0 or older: pip install nvidia-cuda-nvrtc-cu12. [E_BACKEND_START]"`,
    );
  });

  it("is not loaded for another reason", async () => {
    fake.inject("cuModuleLoadDataEx", 1, 218);
    expect(await errorOf(() => run({ ...add, name: "new" }, tf.ones([3])))).toMatchInlineSnapshot(
      `"The CUDA driver (CUDA 12.9) does not load the kernel "new", compiled by NVRTC 12.9 for compute_90 as ptx: CUDA_ERROR_INVALID_PTX. Report this with the output of \`basic-mllm doctor\`. [E_KERNEL_FAILED]"`,
    );
  });

  it("is machine code that the driver does not take: PTX takes its place", async () => {
    backend = await startOnEmulator({ image: "cubin" });
    expect(backend.kernels.target.kind).toBe("cubin");
    expect(await read(run(add, tf.tensor1d([1, 2])))).toEqual([2, 3]);
    expect(backend.kernels.target).toEqual({ kind: "ptx", architecture: "compute_90" });
  });
});

describe("what is not possible", () => {
  it("complex numbers", async () => {
    expect(await errorOf(() => backend.write(null as never, [2], "complex64"))).toMatchInlineSnapshot(
      `"The backend "basiccuda" has no complex numbers. Keep real and imaginary parts in two tensors, or use the backend "cpu". [E_KERNEL_MISSING]"`,
    );
  });

  it("a kernel over texts", async () => {
    const names = tf.tensor1d(["a", "b"]);
    expect(await names.data()).toEqual(["a", "b"]);
    expect(await errorOf(() => backend.addressOf(names))).toMatchInlineSnapshot(
      `"A tensor of dtype string is not on the device: kernels read numbers. Encode texts before. [E_KERNEL_FAILED]"`,
    );
  });

  it("a tensor that was disposed", async () => {
    const x = tf.ones([2]);
    x.dispose();
    expect(await errorOf(() => backend.addressOf(x))).toMatchInlineSnapshot(
      `"A tensor was used after it was disposed, or on another backend than its own. Keep it with tf.keep() or return it from tf.tidy(). [E_KERNEL_FAILED]"`,
    );
  });
});

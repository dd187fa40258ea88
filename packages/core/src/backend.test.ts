import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, it, vi } from "vitest";

/** The module remembers its backend, so every test imports it anew. */
async function freshStart() {
  const { startBackend } = await import("./backend.js");
  return startBackend;
}

const working = { start: () => tf.setBackend("cpu").then(() => "cpu") };

beforeEach(() => vi.resetModules());

describe("startBackend", () => {
  it("starts the package that is named after the backend", async () => {
    const startBackend = await freshStart();
    const load = vi.fn(async () => working);
    expect(await startBackend("demo", { load })).toEqual({ name: "demo", tfjsName: "cpu", device: "cpu" });
    expect(load).toHaveBeenCalledWith("@basic-mllm/backend-demo");
  });

  it("starts once when the same backend is asked for again, at the same time or later", async () => {
    const startBackend = await freshStart();
    const load = vi.fn(async () => working);
    const both = await Promise.all([startBackend("demo", { load }), startBackend("demo", { load })]);
    expect([...both, await startBackend("demo")]).toEqual(
      Array(3).fill({ name: "demo", tfjsName: "cpu", device: "cpu" }),
    );
    expect(load).toHaveBeenCalledOnce();
  });

  it("gives what the backend says about itself", async () => {
    const startBackend = await freshStart();
    const load = async () => ({ ...working, describe: () => "two abacuses" });
    expect(await startBackend("demo", { load })).toMatchObject({ device: "two abacuses" });
  });

  it("asks for a precision that the backend has, once", async () => {
    const startBackend = await freshStart();
    const begin = vi.fn(working.start);
    const load = async () => ({ ...working, start: begin, precisions: ["f32", "bf16"] });
    await startBackend("demo", { load, precision: "bf16" });
    expect(begin).toHaveBeenCalledExactlyOnceWith({ precision: "bf16" });
    await expect(startBackend("demo")).resolves.toMatchObject({ name: "demo" });
    await expect(startBackend("demo", { precision: "f32" })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: asked for f32, but "demo" was started with bf16 in this process. A process has one backend: start another process for "f32". [E_BACKEND_CONFLICT]]`,
    );
  });

  it("refuses a precision that the backend lacks", async () => {
    const startBackend = await freshStart();
    const load = async () => working;
    await expect(
      startBackend("demo", { load, precision: "bf16" }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "demo" did not start: it multiplies in f32, not in bf16. There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
    await expect(
      startBackend("tfjs:cpu", { fallback: "reference", precision: "bf16" }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "tfjs:cpu" did not start: it multiplies in f32, not in bf16. There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
    await expect(startBackend("demo", { load, precision: "f32" })).resolves.toMatchObject({ name: "demo" });
  });

  it("imagines a device where the backend can, and says where it cannot", async () => {
    const startBackend = await freshStart();
    await expect(
      startBackend("demo", { load: async () => working, imagine: 1e9 }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "demo" did not start: it cannot imagine a device. There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
    await expect(startBackend("tfjs:cpu", { fallback: "reference", imagine: 1e9 })).rejects.toThrow(
      /"tfjs:cpu" did not start: it cannot imagine a device/,
    );
    const begin = vi.fn(working.start);
    await startBackend("demo", {
      load: async () => ({ ...working, start: begin, imagines: true }),
      imagine: 1e9,
    });
    expect(begin).toHaveBeenCalledExactlyOnceWith({ imagine: 1e9 });
  });

  it("starts a registered tfjs backend with the reference compositions", async () => {
    const startBackend = await freshStart();
    const { runKernel } = await import("./kernels/run.js");
    const { linear } = await import("./kernels/linear.js");
    expect(await startBackend("tfjs:cpu", { fallback: "reference" })).toEqual({
      name: "tfjs:cpu",
      tfjsName: "cpu",
      device: "cpu",
    });
    const inputs = { x: tf.ones([1, 2]), weight: tf.ones([3, 2]) };
    const [y] = runKernel(linear, inputs, { activation: "none" });
    expect(y?.arraySync()).toEqual([[2, 2, 2]]);
  });

  it("says how to install a package of ours that is not there", async () => {
    const startBackend = await freshStart();
    const load = () => Promise.reject(new Error("Cannot find package '@basic-mllm/backend-cuda'"));
    await expect(startBackend("cuda", { load })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "cuda" is not installed. Run: npm install @basic-mllm/backend-cuda, or use the backend "cpu". [E_BACKEND_MISSING]]`,
    );
  });

  it("names the backends that there are where a name is none of them, and advises no package that does not exist", async () => {
    const startBackend = await freshStart();
    await expect(startBackend("webgp")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: there is no backend "webgp": no package @basic-mllm/backend-webgp is installed. Did you mean "webgpu"? Ours are cpu, webgpu, cuda; "tfjs:NAME" is one that was registered with TensorFlow.js. [E_BACKEND_MISSING]]`,
    );
  });

  it("recognises the missing package in a browser's words", async () => {
    const startBackend = await freshStart();
    const words = "Failed to resolve module specifier '@basic-mllm/backend-webgpu'";
    const load = () => Promise.reject(new TypeError(words));
    await expect(startBackend("webgpu", { load })).rejects.toMatchObject({ code: "E_BACKEND_MISSING" });
  });

  it("does not blame the package when something that it needs is missing", async () => {
    const startBackend = await freshStart();
    const words =
      "Cannot find package 'addon' imported from /app/node_modules/@basic-mllm/backend-cuda/dist/index.js";
    const load = () => Promise.reject(new Error(words));
    await expect(startBackend("cuda", { load })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "cuda" did not start: Cannot find package 'addon' imported from /app/node_modules/@basic-mllm/backend-cuda/dist/index.js. There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
  });

  it("gives the reason when start() fails", async () => {
    const startBackend = await freshStart();
    const load = async () => ({ start: () => Promise.reject(new Error("no device")) });
    await expect(startBackend("cuda", { load })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "cuda" did not start: no device. There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
  });

  it("gives the reason when start() or the import throws before it returns", async () => {
    const startBackend = await freshStart();
    const broken = (): never => {
      throw new Error("no driver");
    };
    const expected = {
      code: "E_BACKEND_START",
      message: expect.stringContaining("did not start: no driver."),
    };
    await expect(startBackend("cuda", { load: async () => ({ start: broken }) })).rejects.toMatchObject(
      expected,
    );
    await expect(startBackend("cuda", { load: broken })).rejects.toMatchObject(expected);
  });

  it("rejects a package without start()", async () => {
    const startBackend = await freshStart();
    const load = async () => ({});
    await expect(startBackend("cuda", { load })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "cuda" did not start: @basic-mllm/backend-cuda exports no function start(). There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
  });

  it("rejects a package that left another backend running", async () => {
    const startBackend = await freshStart();
    await tf.setBackend("cpu");
    const load = async () => ({ start: async () => "basiccuda" });
    await expect(startBackend("cuda", { load })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "cuda" did not start: tfjs runs on "cpu" instead of "basiccuda". There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
  });

  it("refuses a second backend in one process", async () => {
    const startBackend = await freshStart();
    await startBackend("demo", { load: async () => working });
    await expect(startBackend("cuda")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: asked for "cuda", but "demo" runs in this process. A process has one backend: start another process for "cuda". [E_BACKEND_CONFLICT]]`,
    );
  });

  it("may be called again after a failure", async () => {
    const startBackend = await freshStart();
    await expect(startBackend("quantum")).rejects.toThrow();
    expect(await startBackend("demo", { load: async () => working })).toMatchObject({ tfjsName: "cpu" });
  });

  it("names the tfjs backend that nobody registered", async () => {
    const startBackend = await freshStart();
    const options = { fallback: "reference" } as const;
    await expect(startBackend("tfjs:wasm", options)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: tfjs has no backend "wasm". Import the package that registers it first, for example "@tensorflow/tfjs-backend-wasm". [E_BACKEND_MISSING]]`,
    );
  });

  it("runs a tfjs backend on slow compositions only when asked to", async () => {
    const startBackend = await freshStart();
    await expect(startBackend("tfjs:cpu")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the tfjs backend "cpu" has none of our kernels. Pass { fallback: "reference" } to run their slow compositions, or call startBackend("cpu"). [E_BACKEND_START]]`,
    );
  });

  it("does not take false from tf.setBackend for an answer", async () => {
    const startBackend = await freshStart();
    vi.spyOn(globalThis.console, "warn").mockImplementation(() => undefined);
    tf.registerBackend("broken", () => Promise.reject(new Error("no device")), 0);
    const options = { fallback: "reference" } as const;
    await expect(startBackend("tfjs:broken", options)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: startBackend: the backend "tfjs:broken" did not start: tf.setBackend returned false. There is no fallback to another backend. Correct this, or use the backend "cpu". [E_BACKEND_START]]`,
    );
    tf.removeBackend("broken");
    vi.restoreAllMocks();
  });
});

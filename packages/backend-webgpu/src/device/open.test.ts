import { describe, expect, it } from "vitest";

import { openDevice } from "./open.js";

const limits = {
  maxStorageBuffersPerShaderStage: 10,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxStorageBufferBindingSize: 2 ** 30,
  maxBufferSize: 2 ** 30,
};

const card = { vendor: "acme", architecture: "one", device: "", description: "" };

/** A WebGPU with one adapter, or none. */
function fakeGpu(adapter: object | null): GPU {
  return { requestAdapter: async () => adapter } as unknown as GPU;
}

describe("openDevice", () => {
  it("asks for the abilities and limits that the adapter has", async () => {
    const asked: unknown[] = [];
    const requestDevice = async (descriptor: unknown) => asked.push(descriptor);
    const adapter = { info: card, limits, features: new Set(["shader-f16", "other"]), requestDevice };
    expect(await openDevice(fakeGpu(adapter))).toMatchObject({ name: "acme one" });
    expect(asked).toEqual([{ requiredFeatures: ["shader-f16"], requiredLimits: limits }]);
  });

  it("names the CPU backend where there is no WebGPU", async () => {
    await expect(openDevice(undefined)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: There is no WebGPU here: navigator.gpu is undefined. It needs a current browser, and a secure page (https or localhost). Use the backend "cpu", which runs everywhere. [E_BACKEND_START]]`,
    );
  });

  it("names the CPU backend where there is no adapter", async () => {
    await expect(openDevice(fakeGpu(null))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: WebGPU finds no adapter: this machine has no GPU with a driver for Vulkan, Metal or Direct3D 12 that it may use. Use the backend "cpu", which runs everywhere. [E_BACKEND_START]]`,
    );
  });

  it("gives the reason of an adapter that gives no device", async () => {
    const requestDevice = () => Promise.reject(new Error("too many devices."));
    const adapter = { info: card, limits, features: new Set(), requestDevice };
    await expect(openDevice(fakeGpu(adapter))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The WebGPU adapter "acme one" gave no device: too many devices. Close other programs that use the GPU, update its driver, or use the backend "cpu". [E_BACKEND_START]]`,
    );
  });

  it("says that an adapter cannot time kernels", async () => {
    const adapter = { info: card, limits, features: new Set(), requestDevice: async () => ({}) };
    await expect(
      openDevice(fakeGpu(adapter), { timestamps: true }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The WebGPU adapter "acme one" cannot time kernels: it does not have the feature timestamp-query, which the option \`timestamps\` needs. Leave the option out, or use another adapter or a newer driver. [E_BACKEND_START]]`,
    );
    expect(await openDevice(fakeGpu(adapter))).toMatchObject({ name: "acme one" });
  });
});

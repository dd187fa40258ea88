import { BasicError } from "@basic-mllm/core";
import { describe, expect, it } from "vitest";

import { deviceLost, Failure, outOfMemory, refusedCommand } from "./failure.js";

const cause = new BasicError("E_KERNEL_FAILED", "The cause.");
const consequence = new BasicError("E_KERNEL_FAILED", "The consequence.");

/** A device whose error scopes catch this. */
function deviceWith(error: { message: string } | null): GPUDevice {
  return { pushErrorScope: () => undefined, popErrorScope: async () => error } as unknown as GPUDevice;
}

describe("Failure", () => {
  it("throws the first report, from then on", () => {
    const failure = new Failure();
    failure.check();
    failure.report(cause);
    failure.report(consequence);
    expect(() => failure.check()).toThrow(cause);
    expect(() => failure.check()).toThrow(cause);
  });

  it("waits for what a scope catches", async () => {
    const failure = new Failure();
    const value = failure.watch(
      deviceWith({ message: "no" }),
      "validation",
      () => 7,
      () => cause,
    );
    expect(value).toBe(7);
    failure.check();
    await expect(failure.settle()).rejects.toBe(cause);
  });

  it("takes a scope that catches nothing for success", async () => {
    const failure = new Failure();
    failure.watch(
      deviceWith(null),
      "out-of-memory",
      () => 7,
      () => cause,
    );
    await failure.settle();
  });

  it("prefers the cause that a check finds to a consequence that came before it", async () => {
    const failure = new Failure();
    failure.watch(
      deviceWith({ message: "no" }),
      "validation",
      () => 7,
      () => cause,
    );
    failure.reportConsequence(consequence);
    await expect(failure.settle()).rejects.toBe(cause);
  });

  it("reports a consequence without a cause", async () => {
    const failure = new Failure();
    failure.reportConsequence(consequence);
    await expect(failure.settle()).rejects.toBe(consequence);
  });
});

describe("errors of a device", () => {
  it("say what was lost and how to go on", () => {
    const info = { reason: "unknown", message: "A hang was found." } as unknown as GPUDeviceLostInfo;
    expect(deviceLost("a card", info).message).toMatchInlineSnapshot(
      `"The WebGPU device "a card" was lost (A hang was found). All tensors on it are gone. Start again from the last checkpoint; where it happens again, update the driver, lower the rows of a micro-batch, or use the backend "cpu". [E_DEVICE_LOST]"`,
    );
  });

  it("say how much memory there was not", () => {
    expect(outOfMemory(3 * 2 ** 29, 2 ** 32, "Not enough memory.").message).toMatchInlineSnapshot(
      `"The WebGPU device has no memory for a buffer of 1536 MiB, with 4096 MiB allocated already: Not enough memory. Lower \`rowBudget\` or \`batchSize\`, the rows of a micro-batch, and raise \`accumulate\` by as much; else train fewer parts, or take a smaller model. [E_DEVICE_MEMORY]"`,
    );
  });

  it("repeat what the device says of a command", () => {
    expect(refusedCommand({ message: "Too many workgroups." } as GPUError).message).toMatchInlineSnapshot(
      `"The WebGPU device refused a command: Too many workgroups. Check the shapes that the last kernels were given; where they are right, report this with the name of the adapter. [E_KERNEL_FAILED]"`,
    );
  });
});

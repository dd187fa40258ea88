import type { Attributes, KernelCase, KernelContract } from "@basic-mllm/core";
import { type ConformanceFailure, runConformance } from "@basic-mllm/testing";
import { vi } from "vitest";

import type { Limits } from "../src/device/limits.js";
import { BACKEND_NAME, start, startedBackend } from "../src/index.js";

/** Runs cases of our own of a contract, as the conformance suite does its own: forward, gradients and leaks. */
export async function failuresOf<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  cases: readonly KernelCase<Name, Attrs>[],
): Promise<readonly ConformanceFailure[]> {
  const own = { ...contract, cases } as unknown as KernelContract;
  const { failures } = await runConformance({
    backend: BACKEND_NAME,
    start: () => start(),
    contracts: [own],
    toleranceFactor: 4,
  });
  return failures;
}

/** Runs `body` while the device seems to have other limits. Bindings beyond them are refused. */
export async function withLimits<T>(limits: Partial<Limits>, body: () => Promise<T>): Promise<T> {
  await start();
  const { device } = startedBackend();
  const real = device.limits;
  const spy = vi.spyOn(device, "limits", "get").mockReturnValue(
    new Proxy(real, {
      get: (target, name) => limits[name as keyof Limits] ?? target[name as keyof GPUSupportedLimits],
    }),
  );
  try {
    return await body();
  } finally {
    spy.mockRestore();
  }
}

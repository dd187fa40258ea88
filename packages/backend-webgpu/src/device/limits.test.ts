import { describe, expect, it } from "vitest";

import { type Limits, limitsToRequest } from "./limits.js";

const LARGE: Limits = {
  maxStorageBuffersPerShaderStage: 16,
  maxComputeWorkgroupStorageSize: 32_768,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxStorageBufferBindingSize: 2 ** 31,
  maxBufferSize: 2 ** 32,
};

describe("limitsToRequest", () => {
  it("asks for all that the adapter has", () => {
    expect(limitsToRequest("a card", LARGE)).toEqual(LARGE);
  });

  it("asks for less where a cap says so", () => {
    const caps = { maxStorageBufferBindingSize: 2 ** 27 };
    expect(limitsToRequest("a card", LARGE, caps)).toEqual({ ...LARGE, ...caps });
  });

  it("names the limit that an adapter lacks, what was needed and what it has", () => {
    const small = { ...LARGE, maxStorageBuffersPerShaderStage: 4 };
    expect(() => limitsToRequest("a phone", small)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The WebGPU adapter "a phone" does not have enough of the limit maxStorageBuffersPerShaderStage: the kernels need 8, it has 4. No recipe changes that: use another adapter, or the backend "cpu". [E_BACKEND_START]]`,
    );
  });

  it("says which change of a recipe would fit a small memory", () => {
    const small = { ...LARGE, maxBufferSize: 2 ** 26 };
    expect(() => limitsToRequest("a phone", small)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: The WebGPU adapter "a phone" does not have enough of the limit maxBufferSize: the kernels need 134217728, it has 67108864. Take a recipe with fewer rows in a micro-batch (\`rowBudget\`, \`batchSize\`) and a smaller vocabulary, on another adapter or on the backend "cpu": the kernels do not start below this. [E_BACKEND_START]]`,
    );
  });
});

import { BasicError } from "@basic-mllm/core";

/** A limit that matters to the kernels. */
export type LimitName =
  | "maxStorageBuffersPerShaderStage"
  | "maxComputeWorkgroupStorageSize"
  | "maxComputeInvocationsPerWorkgroup"
  | "maxComputeWorkgroupSizeX"
  | "maxComputeWorkgroupsPerDimension"
  | "maxStorageBufferBindingSize"
  | "maxBufferSize";

/** Limits that the kernels count on, and how much they need of each: no more than WebGPU guarantees. */
const NEEDED: Readonly<Record<LimitName, number>> = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 128 * 2 ** 20,
};

const names = Object.keys(NEEDED) as readonly LimitName[];

/** What would fit in less memory. */
const SMALLER =
  "Take a recipe with fewer rows in a micro-batch (`rowBudget`, `batchSize`) and a smaller vocabulary, on another adapter or " +
  'on the backend "cpu": the kernels do not start below this';

const FIXES: Readonly<Partial<Record<LimitName, string>>> = {
  maxStorageBufferBindingSize: SMALLER,
  maxBufferSize: SMALLER,
};

/** Limits of an adapter or device, by name. */
export type Limits = Readonly<Record<LimitName, number>>;

/**
 * The limits to ask a device for: all that the adapter has of those that matter, but at most `caps`.
 *
 * @param adapter - What the adapter is called, for messages.
 * @throws BasicError `E_BACKEND_START` where the adapter, or a cap, is below what the kernels need.
 */
export function limitsToRequest(
  adapter: string,
  available: Limits,
  caps: Partial<Limits> = {},
): Record<LimitName, number> {
  const wanted = Object.fromEntries(
    names.map((name) => [name, Math.min(available[name], caps[name] ?? Number.POSITIVE_INFINITY)]),
  ) as Record<LimitName, number>;
  for (const name of names) {
    if (wanted[name] >= NEEDED[name]) continue;
    const fix = FIXES[name] ?? 'No recipe changes that: use another adapter, or the backend "cpu"';
    throw new BasicError(
      "E_BACKEND_START",
      `The WebGPU adapter "${adapter}" does not have enough of the limit ${name}: the kernels need ${NEEDED[name]}, ` +
        `it has ${wanted[name]}. ${fix}.`,
    );
  }
  return wanted;
}

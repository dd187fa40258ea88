import { BasicError } from "@basic-mllm/core";

/** Limits that the kernels count on, and how much they need of each. All but the last two are WebGPU's guaranteed ones. */
const NEEDED = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 128 * 2 ** 20,
} as const;

/** A limit of {@link NEEDED}. */
export type LimitName = keyof typeof NEEDED;

const names = Object.keys(NEEDED) as readonly LimitName[];

/** Where a machine has less, what would still fit. */
const FIXES: Readonly<Partial<Record<LimitName, string>>> = {
  maxStorageBufferBindingSize:
    "A recipe with a smaller model, a smaller vocabulary or fewer rows in a micro-batch would need less, but the kernels are not tested below this",
  maxBufferSize:
    "A recipe with a smaller model, a smaller vocabulary or fewer rows in a micro-batch would need less, but the kernels are not tested below this",
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

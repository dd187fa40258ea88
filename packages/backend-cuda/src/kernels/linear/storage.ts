import type { PackedStorage } from "@basic-mllm/core";

/** STORAGE of storage.cuh. */
export const storageNumbers: Readonly<Record<PackedStorage, number>> = {
  bf16: 1,
  q8_0: 2,
  q4_0: 3,
  q4_1: 4,
  f16: 5,
};

/** Every {@link PackedStorage}. */
export const packedStorages = Object.keys(storageNumbers) as PackedStorage[];

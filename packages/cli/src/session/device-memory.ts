import { BasicError } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { bytes } from "../terminal.js";

/** Memory of a GPU, in bytes. */
export interface DeviceMemory {
  /** Taken by this process. */
  readonly usedBytes: number;
  /** Absent where the backend does not know. */
  readonly totalBytes?: number;
}

/** A stage and what it would take of the GPU. */
export interface DeviceUse {
  readonly stage: string;
  /** At its peak; null where the backend computes on the processor, or cannot tell. */
  readonly device: number | null;
}

/** Memory of the current backend's device; undefined where tensors lie in the process, or it cannot tell. */
export function deviceMemory(): DeviceMemory | undefined {
  const backend = tf.backend() as Partial<{ deviceMemory(): DeviceMemory }>;
  return backend.deviceMemory?.();
}

/**
 * Whether a run fits in the memory of its GPU, in words; undefined where it has none.
 *
 * @param limit - Bytes of another GPU to ask for. Default: those that the current one has.
 * @throws {@link BasicError} `E_MEMORY_LIMIT` with the sizes where it does not fit, or where nobody can tell.
 */
export function fitsDevice(stages: readonly DeviceUse[], limit: number | undefined): string | undefined {
  const largest = stages.reduce<DeviceUse | undefined>(
    (most, use) => ((use.device ?? -1) > (most?.device ?? -1) ? use : most),
    undefined,
  );
  const total = limit ?? deviceMemory()?.totalBytes;
  if (total === undefined) return undefined;
  if (largest?.device === undefined || largest.device === null) {
    throw new BasicError(
      "E_MEMORY_LIMIT",
      "The memory of a device cannot be predicted on this backend, so --device-memory cannot hold. Use --backend cuda, or leave it out.",
    );
  }
  if (largest.device <= total) {
    return `fits: ${bytes(largest.device)} of ${bytes(total)} of device memory, in stage "${largest.stage}"`;
  }
  throw new BasicError(
    "E_MEMORY_LIMIT",
    `Stage "${largest.stage}" would take ${bytes(largest.device)} of device memory, and there are ${bytes(total)}. Lower ` +
      "batchSize (and raise accumulate), or rowBudget where samples are packed, train fewer parts, store frozen weights packed, or " +
      "take a larger GPU.",
  );
}

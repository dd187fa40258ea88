import { BasicError } from "@basic-mllm/core";

import { CUDA } from "../device/constants.js";
import { readableBytes } from "../device/faults.js";
import type { Session } from "../device/session.js";
import type { DeviceMemory, MemoryStatistics } from "./allocator.js";

/** Memory of a session's device: out of the driver's pool, in the order of the stream, where it has pools. */
export function deviceMemory(session: Session): DeviceMemory {
  return session.device.hasMemoryPools ? pooledMemory(session) : plainMemory(session);
}

function pooledMemory(session: Session): DeviceMemory {
  const { stream, device } = session;
  const pool = session.handleFrom("cuDeviceGetDefaultMemPool", device.handle);
  // The allocator decides what is given back to the system.
  const keepAll = new BigUint64Array([2n ** 64n - 1n]);
  session.call("cuMemPoolSetAttribute", pool, CUDA.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, keepAll);
  const result = new BigUint64Array(1);
  return {
    allocate: (bytes) => {
      session.check();
      return answered(
        session,
        "cuMemAllocAsync",
        result,
        session.driver.api.cuMemAllocAsync(result, bytes, stream),
      );
    },
    release: (address) => session.call("cuMemFreeAsync", address, stream),
    trim: () => {
      session.synchronize();
      session.call("cuMemPoolTrimTo", pool, 0);
    },
  };
}

function plainMemory(session: Session): DeviceMemory {
  const result = new BigUint64Array(1);
  return {
    allocate: (bytes) => {
      session.check();
      return answered(session, "cuMemAlloc", result, session.driver.api.cuMemAlloc(result, bytes));
    },
    // Waits for the device by itself.
    release: (address) => session.call("cuMemFree", address),
    trim: () => undefined,
  };
}

function answered(
  session: Session,
  call: "cuMemAllocAsync" | "cuMemAlloc",
  result: BigUint64Array,
  code: number,
): number | undefined {
  if (code === CUDA.CUDA_SUCCESS) return Number(result[0]);
  if (code === CUDA.CUDA_ERROR_OUT_OF_MEMORY) return undefined;
  throw session.explain(call, code);
}

/** The error where the device has no memory for a block. */
export function outOfDeviceMemory(session: Session, limit: number | undefined) {
  return (bytes: number, { usedBytes }: MemoryStatistics): BasicError => {
    const { free, total } = session.driver.memory();
    const others = total - free - usedBytes;
    const whole =
      limit === undefined
        ? `${readableBytes(free)} of its ${readableBytes(total)} are free`
        : `memoryLimit is ${readableBytes(limit)}`;
    const shared = others > total / 10 ? ` Other processes or the driver hold ${readableBytes(others)}.` : "";
    return new BasicError(
      "E_DEVICE_MEMORY",
      `The CUDA device "${session.device.name}" has no memory for ${readableBytes(bytes)}: ${readableBytes(usedBytes)} are in ` +
        `use here, and ${whole}.${shared} Lower \`rowBudget\` or \`batchSize\`, the rows of a micro-batch, and raise ` +
        "`accumulate` by as much; else train fewer parts, store frozen weights packed (bf16, q8_0), or take a smaller model.",
    );
  };
}

import type { DeviceMemory } from "./allocator.js";

/** Memory without end: addresses that nobody reads. */
export function imaginaryMemory(): DeviceMemory {
  let next = 2 ** 40;
  return {
    allocate: (bytes) => {
      next += bytes;
      return next - bytes;
    },
    release: () => undefined,
    trim: () => undefined,
  };
}

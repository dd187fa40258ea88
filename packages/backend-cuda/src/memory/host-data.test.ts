import { describe, expect, it } from "vitest";

import { CachingAllocator } from "./allocator.js";
import { HostData } from "./host-data.js";

function make() {
  let next = 4096;
  const uploads: { address: number; bytes: Uint8Array }[] = [];
  const memory = {
    allocate: (bytes: number) => {
      next += bytes;
      return next - bytes;
    },
    release: () => undefined,
    trim: () => undefined,
  };
  const allocator = new CachingAllocator({ memory, explain: () => new Error() });
  const upload = (address: number, bytes: Uint8Array) => uploads.push({ address, bytes: bytes.slice() });
  return { allocator, uploads, data: new HostData({ allocator, upload }) };
}

describe("host arrays", () => {
  it("with the same content share one copy on the device, whatever their type", () => {
    const { data, uploads } = make();
    const address = data.addressOf(Int32Array.of(0, 3, 7));
    expect(data.addressOf(Uint32Array.of(0, 3, 7))).toBe(address);
    expect(data.addressOf(Int32Array.of(9, 0, 3, 7).subarray(1))).toBe(address);
    expect(data.addressOf(Int32Array.of(0, 3, 8))).not.toBe(address);
    expect(uploads.map(({ bytes }) => bytes.length)).toEqual([12, 12]);
  });

  it("may be changed after the call", () => {
    const { data } = make();
    const offsets = Int32Array.of(1, 2);
    const before = data.addressOf(offsets);
    offsets[0] = 5;
    expect(data.addressOf(offsets)).not.toBe(before);
    offsets[0] = 1;
    expect(data.addressOf(offsets)).toBe(before);
  });

  it("that nobody asked for longest go first, but only after the launch that uses them", () => {
    const { data, allocator } = make();
    const large = (value: number) => new Float32Array(2 ** 21).fill(value);
    const first = data.addressOf(large(1));
    data.addressOf(large(2));
    data.addressOf(large(3));
    expect(allocator.statistics.usedBlocks).toBe(3);
    data.trim();
    expect([data.size, allocator.statistics.usedBlocks]).toEqual([2, 2]);
    expect(data.addressOf(large(3))).not.toBe(first);
    data.clear();
    expect(allocator.statistics.usedBytes).toBe(0);
  });

  it("are at most 1024", () => {
    const { data } = make();
    for (let i = 0; i < 1500; i++) {
      data.addressOf(Int32Array.of(i));
      data.trim();
    }
    expect(data.size).toBe(1024);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type Block, CachingAllocator } from "./allocator.js";

/** A device with so many bytes, whose addresses are never used twice. */
function fakeMemory(total: number) {
  const live = new Map<number, number>();
  let next = 4096;
  let trims = 0;
  const used = () => [...live.values()].reduce((sum, bytes) => sum + bytes, 0);
  return {
    live,
    used,
    trims: () => trims,
    memory: {
      allocate: (bytes: number) => {
        if (used() + bytes > total) return undefined;
        const address = next;
        next += bytes;
        live.set(address, bytes);
        return address;
      },
      release: (address: number) => {
        expect(live.delete(address)).toBe(true);
      },
      trim: () => {
        trims++;
      },
    },
  };
}

const explain = (bytes: number) => new Error(`no memory for ${bytes}`);

describe("the caching allocator", () => {
  it("uses a free block of the same size again, and a little larger one", () => {
    const { memory } = fakeMemory(2 ** 30);
    const allocator = new CachingAllocator({ memory, explain });
    const first = allocator.allocate(100_000);
    allocator.release(first);
    expect(allocator.allocate(99_999)).toBe(first);
    allocator.release(first);
    expect(allocator.allocate(90_000)).toBe(first);
    allocator.release(first);
    expect(allocator.allocate(50_000)).not.toBe(first);
    expect(allocator.statistics).toMatchObject({ allocations: 4, reused: 2, usedBlocks: 1, flushes: 0 });
  });

  it("gives tools that watch memory blocks without slack, which are never used twice", () => {
    const { memory, live } = fakeMemory(2 ** 30);
    const allocator = new CachingAllocator({ memory, explain, exact: true });
    const first = allocator.allocate(44);
    expect(first.bytes).toBe(44);
    allocator.release(first);
    expect(live.size).toBe(0);
    const second = allocator.allocate(44);
    expect(second.address).not.toBe(first.address);
    expect(allocator.allocate(0).bytes).toBe(4);
    expect(allocator.statistics).toMatchObject({ usedBytes: 48, reservedBytes: 48, reused: 0 });
  });

  it("gives free blocks back when memory is short, then tries again", () => {
    const { memory, used, trims } = fakeMemory(10_000);
    const allocator = new CachingAllocator({ memory, explain });
    const [a, b] = [allocator.allocate(4096), allocator.allocate(4096)];
    allocator.release(a);
    const c = allocator.allocate(5120);
    expect([used(), trims(), allocator.statistics.flushes]).toEqual([9216, 1, 1]);
    expect(() => allocator.allocate(4096)).toThrow("no memory for 4096");
    allocator.release(b);
    allocator.release(c);
    expect(allocator.allocate(8192).bytes).toBe(8192);
  });

  it("never exceeds its limit", () => {
    const { memory, used } = fakeMemory(2 ** 30);
    const allocator = new CachingAllocator({ memory, explain, limit: 4096 });
    const block = allocator.allocate(4096);
    expect(() => allocator.allocate(1)).toThrow("no memory for 512");
    allocator.release(block);
    allocator.allocate(512);
    expect(used()).toBe(512);
  });

  it("gives everything back in the end", () => {
    const { memory, live } = fakeMemory(2 ** 30);
    const allocator = new CachingAllocator({ memory, explain });
    allocator.release(allocator.allocate(1000));
    allocator.allocate(2000);
    allocator.dispose();
    expect(live.size).toBe(0);
    expect(allocator.statistics).toMatchObject({ usedBytes: 0, reservedBytes: 0, usedBlocks: 0 });
  });

  it("never gives memory to two owners, and counts what it holds", () => {
    const step = fc.oneof(
      fc.record({ allocate: fc.oneof(fc.nat(2000), fc.nat(200_000)) }),
      fc.record({ release: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { memory, live, used } = fakeMemory(2 ** 22);
        const allocator = new CachingAllocator({ memory, explain });
        const owned: Block[] = [];
        for (const one of steps) {
          if ("allocate" in one) {
            const block = allocator.allocate(one.allocate);
            expect(block.bytes).toBeGreaterThanOrEqual(Math.max(one.allocate, 1));
            // The class of its size, or one of the next two: steps of 512 bytes, or of an eighth of a power of two.
            const most = Math.max(one.allocate * 1.5, one.allocate + 3 * 512);
            expect(block.bytes).toBeLessThanOrEqual(most);
            expect(owned).not.toContain(block);
            expect(live.get(block.address)).toBe(block.bytes);
            owned.push(block);
          } else {
            const [block] = owned.splice(one.release, 1);
            if (block !== undefined) allocator.release(block);
          }
          const { usedBytes, reservedBytes, peakReservedBytes } = allocator.statistics;
          expect(usedBytes).toBe(owned.reduce((sum, { bytes }) => sum + bytes, 0));
          expect(reservedBytes).toBe(used());
          expect(peakReservedBytes).toBeGreaterThanOrEqual(reservedBytes);
        }
      }),
    );
  });
});

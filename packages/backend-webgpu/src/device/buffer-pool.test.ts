import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { BufferPool } from "./buffer-pool.js";
import { Failure } from "./failure.js";

const STORAGE = 0x80;

interface FakeBuffer {
  readonly size: number;
  readonly usage: number;
  destroyed: boolean;
}

/** A device that hands out plain objects. */
function fakeDevice(most = 2 ** 30) {
  const made: FakeBuffer[] = [];
  const device = {
    limits: { maxBufferSize: most, maxStorageBufferBindingSize: most },
    createBuffer: ({ size, usage }: { size: number; usage: number }) => {
      const buffer = {
        size,
        usage,
        destroyed: false,
        destroy: () => Object.assign(buffer, { destroyed: true }),
      };
      made.push(buffer);
      return buffer;
    },
    pushErrorScope: () => undefined,
    popErrorScope: async () => null,
  };
  return { device: device as unknown as GPUDevice, made };
}

function poolOf(idleBytes: number, most?: number) {
  const { device, made } = fakeDevice(most);
  return { pool: new BufferPool({ device, failure: new Failure(), idleBytes }), made };
}

describe("BufferPool", () => {
  it("uses a buffer again for sizes of its class, and for no other use", () => {
    const { pool } = poolOf(2 ** 20);
    const first = pool.acquireBuffer(10_000, STORAGE);
    pool.releaseBuffer(first);
    expect(pool.acquireBuffer(10_000, 0x40)).not.toBe(first);
    expect(pool.acquireBuffer(10_200, STORAGE)).toBe(first);
  });

  it("keeps no more free bytes than it was told, the newest ones", () => {
    const { pool, made } = poolOf(2048);
    const buffers = [1, 2, 3].map(() => pool.acquireBuffer(1024, STORAGE));
    for (const buffer of buffers) pool.releaseBuffer(buffer);
    expect(made.map(({ destroyed }) => destroyed)).toEqual([true, false, false]);
    expect(pool).toMatchObject({
      idleBytes: 2048,
      numBytesUsed: 0,
      numBytesAllocated: 2048,
      peakBytes: 3072,
    });
  });

  it("rounds no size over a limit that it is within", () => {
    const { pool } = poolOf(0, 100_000);
    expect(pool.acquireBuffer(99_999, STORAGE).size).toBe(100_000);
  });

  it("gives at least what is asked for, an eighth more at most, and counts right, whatever the order", () => {
    const steps = fc.array(fc.record({ size: fc.nat(1_000_000), release: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, fc.nat(3_000_000), (list, idleBytes) => {
        const { pool, made } = poolOf(idleBytes);
        const held: GPUBuffer[] = [];
        for (const { size, release } of list) {
          const buffer = pool.acquireBuffer(size, STORAGE);
          expect(buffer.size).toBeGreaterThanOrEqual(size);
          expect(buffer.size).toBeLessThanOrEqual(Math.max(256, size * 1.125 + 32));
          expect(held).not.toContain(buffer);
          if (release) pool.releaseBuffer(buffer);
          else held.push(buffer);
          expect(pool.idleBytes).toBeLessThanOrEqual(idleBytes);
        }
        const living = made.filter(({ destroyed }) => !destroyed);
        const sum = (buffers: readonly { size: number }[]) =>
          buffers.reduce((total, { size }) => total + size, 0);
        expect(pool.numBytesAllocated).toBe(sum(living));
        expect(pool.numBytesUsed).toBe(sum(held));
        expect(pool.getNumUsedBuffers() + pool.getNumFreeBuffers()).toBe(living.length);
      }),
    );
  });

  it("destroys everything at the end", () => {
    const { pool, made } = poolOf(2 ** 20);
    pool.releaseBuffer(pool.acquireBuffer(500, STORAGE));
    pool.acquireBuffer(5000, STORAGE);
    pool.dispose();
    expect(made.every(({ destroyed }) => destroyed)).toBe(true);
    expect(pool.numBytesAllocated).toBe(0);
  });
});

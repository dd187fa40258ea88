import fc from "fast-check";
import { expect, it } from "vitest";

import { BlockPool, sizeClass } from "./block-pool.js";
import { native } from "./native.js";

it("gives a freed block of the same size class again", () => {
  const pool = new BlockPool(native());
  const first = pool.take(1000);
  pool.give(first);
  const second = pool.take(990);
  expect(second).toBe(first);
  expect(second.view.length).toBe(990);
  expect(second.view.buffer).toBe(first.whole.buffer);
  pool.give(second);
  pool.trim();
});

it("counts bytes in use and bytes held, and frees what it holds", () => {
  const pool = new BlockPool(native());
  const before = native().blockBytes();
  const blocks = [10, 1000, 100_000].map((length) => pool.take(length));
  const live = pool.use().liveBytes;
  expect(pool.use()).toEqual({ liveBytes: live, heldBytes: 0 });
  expect(native().blockBytes() - before).toBe(live);
  for (const block of blocks) pool.give(block);
  expect(pool.use()).toEqual({ liveBytes: 0, heldBytes: live });
  pool.trim();
  expect(pool.use()).toEqual({ liveBytes: 0, heldBytes: 0 });
  expect(native().blockBytes()).toBe(before);
});

it("frees at once what would go over the limit of held bytes", () => {
  const pool = new BlockPool(native(), 4096);
  const before = native().blockBytes();
  const [small, large] = [pool.take(512), pool.take(1_000_000)];
  pool.give(large);
  expect(large.whole.length).toBe(0);
  pool.give(small);
  expect(pool.use().heldBytes).toBe(512 * 4);
  pool.trim();
  expect(native().blockBytes()).toBe(before);
});

it("takes a block back only once", () => {
  const pool = new BlockPool(native());
  const block = pool.take(8);
  pool.give(block);
  pool.give(block);
  expect(pool.use()).toEqual({ liveBytes: 0, heldBytes: 64 });
  expect(pool.take(8)).not.toBe(pool.take(8));
});

it("never hands out one block twice", () => {
  const requests = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.boolean()), { maxLength: 60 });
  fc.assert(
    fc.property(requests, (steps) => {
      const pool = new BlockPool(native());
      const live = new Set<ReturnType<BlockPool["take"]>>();
      for (const [length, release] of steps) {
        const block = pool.take(length);
        expect(live.has(block)).toBe(false);
        expect(block.view.length).toBe(length);
        if (release) pool.give(block);
        else live.add(block);
      }
      for (const block of live) pool.give(block);
      expect(pool.use().liveBytes).toBe(0);
      pool.trim();
    }),
    { numRuns: 50 },
  );
});

it("wastes at most a fifth of a block beyond the smallest sizes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 64, max: 2 ** 30 }), (length) => {
      const size = sizeClass(length);
      expect(size).toBeGreaterThanOrEqual(length);
      expect(size % 16).toBe(0);
      expect(length / size).toBeGreaterThan(0.79);
      expect(sizeClass(size)).toBe(size);
    }),
  );
});

it("gives memory that is aligned to 64 bytes and empties all views when it is freed", () => {
  const block = native().allocateBlock(100);
  const view = block.subarray(0, 10);
  expect([...view]).toEqual(new Array(10).fill(0));
  expect(native().freeBlock(view)).toBe(true);
  expect([block.length, view.length]).toEqual([0, 0]);
  expect(native().freeBlock(block)).toBe(false);
  expect(native().freeBlock(new Float32Array(4))).toBe(false);
});

it("remembers the most bytes that existed at a time", () => {
  const pool = new BlockPool(native());
  const first = pool.take(1000);
  pool.give(first);
  pool.give(pool.take(1000));
  expect(pool.peakBytes).toBe(first.whole.length * 4);
  const two = [pool.take(1000), pool.take(1000)];
  for (const block of two) pool.give(block);
  expect(pool.peakBytes).toBe(first.whole.length * 8);
  pool.trim();
});

it("has a twin that holds as many blocks, from another source", () => {
  const pool = new BlockPool(native());
  const [kept, given] = [pool.take(500), pool.take(1000)];
  pool.give(given);
  let asked = 0;
  const twin = pool.twin({
    allocateBlock: (floats) => {
      asked++;
      return new Float32Array(floats);
    },
    freeBlock: () => true,
  });
  expect([twin.use(), asked]).toEqual([pool.use(), 1]);
  const again = twin.take(1000);
  expect([again === given, asked]).toEqual([false, 1]);
  twin.take(2000);
  expect(asked).toBe(2);
  pool.give(kept);
  pool.trim();
});

it.each([2 ** 32 + 16, 2 ** 53, Number.POSITIVE_INFINITY, Number.NaN])(
  "refuses %s elements, and counts nothing",
  (length) => {
    const pool = new BlockPool(native());
    expect(() => pool.take(length)).toThrowError(
      /holds at most 4294967295 elements, but one of .* \[E_SHAPE\]/,
    );
    expect(pool.use()).toEqual({ liveBytes: 0, heldBytes: 0 });
  },
);

/** A source that counts bytes that exist. */
function countingSource() {
  const source = {
    bytes: 0,
    allocateBlock(floats: number) {
      source.bytes += floats * 4;
      return new Float32Array(floats);
    },
    freeBlock(block: Float32Array) {
      source.bytes -= block.byteLength;
      return true;
    },
  };
  return source;
}

it("uses a large block of the next class rather than a new one", () => {
  const pool = new BlockPool(countingSource());
  const [large, small] = [pool.take(2 ** 20 + 1), pool.take(64)];
  pool.give(large);
  pool.give(small);
  expect(pool.take(2 ** 20)).toBe(large);
  expect(large.view.length).toBe(2 ** 20);
  expect(pool.take(60)).toBe(small);
  pool.give(small);
  expect(pool.take(48)).not.toBe(small);
});

it("frees what has been idle the longest before memory grows a fifth beyond what tensors needed", () => {
  const source = countingSource();
  const pool = new BlockPool(source);
  const sizes = [2 ** 16, 2 ** 17, 2 ** 18].map((length) => pool.take(length));
  for (const block of sizes) pool.give(block);
  const most = pool.peakBytes;
  const next = pool.take(2 ** 19);
  expect(source.bytes).toBe(2 ** 21);
  expect(pool.use()).toEqual({ liveBytes: 2 ** 21, heldBytes: 0 });
  expect(most).toBe(7 * 2 ** 18);
  pool.give(next);
  expect(pool.take(2 ** 16).whole.length).toBe(2 ** 16);
  expect(pool.use().heldBytes).toBe(2 ** 21);
  expect(pool.take(2 ** 17).whole.length).toBe(2 ** 17);
  expect(pool.use().heldBytes).toBe(0);
});

it("keeps small blocks, whatever memory grows to", () => {
  const pool = new BlockPool(countingSource());
  const small = pool.take(1000);
  pool.give(small);
  pool.take(2 ** 20);
  expect(pool.take(1000)).toBe(small);
});

it("keeps memory within what tensors need and a fifth, and counts it right", () => {
  const requests = fc.array(fc.tuple(fc.integer({ min: 1, max: 2 ** 19 }), fc.nat()), { maxLength: 80 });
  fc.assert(
    fc.property(requests, (steps) => {
      const source = countingSource();
      const pool = new BlockPool(source);
      const live: ReturnType<BlockPool["take"]>[] = [];
      let [mostLive, small] = [0, 0];
      for (const [length, pick] of steps) {
        const block = pool.take(length);
        live.push(block);
        if (block.whole.length < 2 ** 14) small += block.whole.length * 4;
        const { liveBytes, heldBytes } = pool.use();
        mostLive = Math.max(mostLive, liveBytes);
        expect(source.bytes).toBe(liveBytes + heldBytes);
        expect(source.bytes).toBeLessThanOrEqual(1.2 * mostLive + small);
        if (pick % 3 > 0) for (const given of live.splice(pick % live.length, pick % 4)) pool.give(given);
      }
      for (const block of live) pool.give(block);
      pool.trim();
      expect(source.bytes).toBe(0);
    }),
    { numRuns: 100 },
  );
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createOrder, type OrderOptions } from "./order.js";

const options: OrderOptions = {
  seed: 7,
  stage: "align",
  size: 10,
  batchSize: 2,
  microBatches: 2,
  shuffle: true,
};

/** All indices of the first `steps` steps. */
function samples(change: Partial<OrderOptions>, steps: number): number[] {
  const order = createOrder({ ...options, ...change });
  const { microBatches } = { ...options, ...change };
  const places = Array.from({ length: steps * microBatches }, (_, i) => i);
  return places.flatMap((i) => [...order.indices(Math.floor(i / microBatches), i % microBatches)]);
}

describe("createOrder", () => {
  it("shows every sample once per epoch, across batches", () => {
    const seen = samples({}, 5);
    expect(new Set(seen.slice(0, 10)).size).toBe(10);
    expect(new Set(seen.slice(10, 20)).size).toBe(10);
    expect(seen.slice(0, 10)).not.toEqual(seen.slice(10, 20));
  });

  it("gives a step the same samples however it is split", () => {
    expect(samples({ batchSize: 4, microBatches: 1 }, 4)).toEqual(samples({}, 4));
    expect(samples({ batchSize: 1, microBatches: 4 }, 4)).toEqual(samples({}, 4));
  });

  it("needs no history", () => {
    const straight = createOrder(options);
    for (let step = 0; step < 7; step++) straight.indices(step, 0);
    expect(createOrder(options).indices(7, 1)).toEqual(straight.indices(7, 1));
  });

  it("differs from stage to stage and from seed to seed", () => {
    const orders = [samples({}, 3), samples({ stage: "finetune" }, 3), samples({ seed: 8 }, 3)];
    expect(new Set(orders.map(String)).size).toBe(3);
  });

  it("goes round a data set that is smaller than a batch", () => {
    expect(samples({ size: 3, batchSize: 4, microBatches: 1, shuffle: false }, 2)).toEqual([
      0, 1, 2, 0, 1, 2, 0, 1,
    ]);
  });
});

describe("createOrder with sizes", () => {
  const cases = fc.record({
    kinds: fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 500 })), {
      minLength: 1,
      maxLength: 60,
    }),
    batchSize: fc.integer({ min: 1, max: 5 }),
    microBatches: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(1000),
  });
  const sizesOf = (kinds: readonly (readonly [boolean, number])[]) => ({
    rows: kinds.map(([, rows]) => rows),
    visual: kinds.map(([isVisual]) => Number(isVisual)),
  });

  it("shows every sample once per epoch, and needs no history", () => {
    fc.assert(
      fc.property(cases, ({ kinds, ...given }) => {
        const change = { ...options, ...given, size: kinds.length, sizes: sizesOf(kinds) };
        const length = given.batchSize * given.microBatches;
        const steps = Math.ceil((3 * kinds.length) / length);
        const seen = samples(change, steps);
        for (const epoch of [0, 1, 2]) {
          const shown = seen.slice(epoch * kinds.length, (epoch + 1) * kinds.length);
          expect(new Set(shown).size).toBe(kinds.length);
        }
        const last = createOrder(change).indices(steps - 1, given.microBatches - 1);
        expect([...last]).toEqual(seen.slice(-given.batchSize));
      }),
    );
  });

  it("mixes kinds in no more steps than the ends of an epoch need", () => {
    fc.assert(
      fc.property(cases, ({ kinds, ...given }) => {
        const sizes = sizesOf(kinds);
        const length = given.batchSize * given.microBatches;
        const whole = Math.floor((2 * kinds.length) / length);
        const seen = samples({ ...options, ...given, size: kinds.length, sizes }, whole);
        const mixed = Array.from({ length: whole }, (_, step) =>
          seen.slice(step * length, (step + 1) * length),
        )
          .map((step) => new Set(step.map((index) => sizes.visual[index])).size - 1)
          .reduce((sum, one) => sum + one, 0);
        // What fills no step of its kind is less than two steps in each of the two epochs.
        expect(mixed).toBeLessThanOrEqual(4);
      }),
    );
  });

  it("gives the micro-batches of a step like numbers of rows", () => {
    const rows = Array.from({ length: 64 }, (_, i) => 10 + 7 * i);
    const sizes = { rows, visual: rows.map(() => 1) };
    const change = { ...options, size: 64, batchSize: 4, microBatches: 4 };
    const spread = (indices: readonly number[]): number => {
      const sums = [0, 4, 8, 12].map((at) =>
        indices.slice(at, at + 4).reduce((sum, index) => sum + (rows[index] as number), 0),
      );
      return Math.max(...sums) - Math.min(...sums);
    };
    for (let step = 0; step < 4; step++) {
      const [dealt, plain] = [sizes, null].map((given) => {
        return spread(samples({ ...change, sizes: given }, 4).slice(16 * step, 16 * step + 16));
      }) as [number, number];
      expect(dealt).toBeLessThan(plain / 2);
    }
  });
});

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

import { describe, expect, it } from "vitest";

import { createRandom, philox, type Words4 } from "./random.js";

const hex = (words: Words4) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");

describe("philox", () => {
  it("gives the known answers of Random123", () => {
    expect(hex(philox([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
    const ones = 0xffffffff;
    expect(hex(philox([ones, ones, ones, ones], [ones, ones]))).toBe("408f276d 41c83b0e a20bc7c6 6d5451fd");
    const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344] as const;
    expect(hex(philox(pi, [0xa4093822, 0x299f31d0]))).toBe("d16cfe09 94fdcceb 5001e420 24126ea1");
  });
});

describe("createRandom", () => {
  it("repeats itself for the same seed and stream", () => {
    const draw = () => Array.from(createRandom(7, "order", 3).permutation(20));
    expect(draw()).toEqual(draw());
  });

  it("differs for another seed, another stream, and parts that only look alike", () => {
    const first = [
      createRandom(7, "a"),
      createRandom(8, "a"),
      createRandom(7 + 2 ** 32, "a"),
      createRandom(7, "b"),
      createRandom(7, "a", 1),
      createRandom(7, "a", "1"),
      createRandom(7, "a,1"),
    ].map((random) => random.uniform());
    expect(new Set(first).size).toBe(first.length);
  });

  it("draws uniform numbers in [0, 1) with mean 1/2 and variance 1/12", () => {
    const values = createRandom(1, "uniform").fillUniform(new Float32Array(20_000), 0, 1);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(mean).toBeCloseTo(0.5, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  it("draws normal numbers with the standard deviation that was asked for", () => {
    const values = createRandom(1, "normal").fillNormal(new Float32Array(20_000), 0.5);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    expect(mean).toBeCloseTo(0, 1);
    expect(deviation).toBeCloseTo(0.5, 1);
  });

  it("draws every integer below n about equally often", () => {
    const random = createRandom(3, "int");
    const counts = new Int32Array(6);
    for (let i = 0; i < 6000; i++) {
      const value = random.int(6);
      counts[value] = (counts[value] as number) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(900);
    expect(Math.max(...counts)).toBeLessThan(1100);
  });

  it("permutes: every number once", () => {
    const order = createRandom(3, "permutation").permutation(100);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});

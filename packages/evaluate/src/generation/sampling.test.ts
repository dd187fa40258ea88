import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { candidates, checkSampling, penalised, Sampler, type SamplingOptions } from "./sampling.js";

const LOGITS = Float32Array.of(1.5, -0.5, 3, 2.25, 0, -2, 2.5, 1);
const SEEN = [2, 5, 2];

/** Probabilities of all tokens, 0 for those that cannot be drawn. */
function distribution(logits: Float32Array, options: SamplingOptions): readonly number[] {
  const scores = penalised(logits, new Set(SEEN), options.repetitionPenalty ?? 1);
  const { ids, probabilities } = candidates(scores, { temperature: 1, ...options });
  const all = new Float64Array(logits.length);
  ids.forEach((id, i) => {
    all[id] = probabilities[i] ?? Number.NaN;
  });
  return Array.from(all);
}

describe("candidates", () => {
  // Softmax after the logits processors of transformers 5.23.0, in the order of `generate`.
  it.each<[SamplingOptions, readonly number[]]>([
    [
      { repetitionPenalty: 1.3 },
      [0.11038, 0.014938, 0.247553, 0.233675, 0.024629, 0.001829, 0.300045, 0.066949],
    ],
    [{ temperature: 0.7 }, [0.057847, 0.003322, 0.493071, 0.168886, 0.006787, 0.00039, 0.241379, 0.028318]],
    [{ topK: 3 }, [0, 0, 0.481024, 0.22722, 0, 0, 0.291756, 0]],
    [{ topP: 0.8 }, [0, 0, 0.481024, 0.22722, 0, 0, 0.291756, 0]],
    [
      { repetitionPenalty: 1.3, temperature: 0.7, topK: 5, topP: 0.8 },
      [0, 0, 0.308923, 0.284483, 0, 0, 0.406594, 0],
    ],
    [
      { repetitionPenalty: 0.8, temperature: 1.6, topK: 6, topP: 0.95 },
      [0.107776, 0, 0.439794, 0.172226, 0, 0, 0.201353, 0.078851],
    ],
  ])("gives Hugging Face's probabilities for %o", (options, expected) => {
    const given = distribution(LOGITS, options);
    given.forEach((value, id) => {
      expect(value).toBeCloseTo(expected[id] ?? Number.NaN, 5);
    });
  });

  const logits = fc.float32Array({ minLength: 1, maxLength: 600, noNaN: true, min: -30, max: 30 });
  const temperature = fc.double({ min: 0.2, max: 3, noNaN: true });

  it("keeps probabilities that sum to 1", () => {
    const topP = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(logits, temperature, fc.integer({ min: 1, max: 700 }), topP, (values, t, k, p) => {
        const { probabilities } = candidates(values, { temperature: t, topK: k, topP: p });
        expect(probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 9);
      }),
    );
  });

  it("top-k keeps the k largest, and those equal to the last of them", () => {
    fc.assert(
      fc.property(logits, fc.integer({ min: 1, max: 700 }), (values, k) => {
        const { ids } = candidates(values, { temperature: 1, topK: k });
        const least = values.slice().sort().at(-Math.min(k, values.length)) ?? Number.NaN;
        const expected = Array.from(values.keys()).filter((id) => (values[id] ?? Number.NaN) >= least);
        expect(Array.from(ids)).toEqual(expected);
      }),
    );
  });

  it("top-p keeps the smallest set that reaches p", () => {
    fc.assert(
      fc.property(logits, temperature, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (values, t, p) => {
        const all = candidates(values, { temperature: t });
        const { ids } = candidates(values, { temperature: t, topP: p });
        const mass = Array.from(ids, (id) => all.probabilities[id] ?? Number.NaN);
        const sum = mass.reduce((total, value) => total + value, 0);
        expect(sum).toBeGreaterThanOrEqual(p - 1e-9);
        expect(sum - Math.min(...mass)).toBeLessThan(p + 1e-9);
        const outside = all.probabilities.filter((_, id) => !ids.includes(id));
        expect(outside.every((value) => value <= Math.min(...mass))).toBe(true);
      }),
    );
  });

  it("never keeps a token of minus infinity", () => {
    const { ids } = candidates(Float32Array.of(-Infinity, 1, -Infinity), { temperature: 1, topK: 3 });
    expect(Array.from(ids)).toEqual([1]);
  });
});

describe("Sampler", () => {
  it("takes the likeliest token at temperature 0, after the penalty", () => {
    expect(new Sampler({}).next(LOGITS)).toBe(2);
    const sampler = new Sampler({ repetitionPenalty: 1.3 });
    sampler.see([-1, 2]);
    // 3 / 1.3 = 2.31 < 2.5; then 2.5 / 1.3 = 1.92 < 2.31 again.
    expect([sampler.next(LOGITS), sampler.next(LOGITS)]).toEqual([6, 2]);
    expect(Array.from(LOGITS)).toEqual([1.5, -0.5, 3, 2.25, 0, -2, 2.5, 1]);
  });

  it("draws the same tokens again with the same seed, in their shares", () => {
    const drawn = (seed: number): readonly number[] => {
      const sampler = new Sampler({ temperature: 1, topK: 3, seed });
      return Array.from({ length: 4000 }, () => sampler.next(LOGITS));
    };
    const first = drawn(4);
    expect(drawn(4)).toEqual(first);
    expect(drawn(5)).not.toEqual(first);
    const share = (id: number): number => first.filter((other) => other === id).length / first.length;
    expect(share(2)).toBeCloseTo(0.481, 1);
    expect(share(2) + share(3) + share(6)).toBe(1);
  });

  it.each([
    [Number.NaN, "the logit of token 1 is NaN"],
    [Number.POSITIVE_INFINITY, "the logit of token 1 is Infinity"],
  ])("refuses a logit of %d", (value, message) => {
    expect(() => new Sampler({}).next(Float32Array.of(0, value))).toThrow(
      `generate: ${message}, expected finite logits. Check the weights, or train with a lower learning rate.`,
    );
  });
});

it.each<[SamplingOptions, string]>([
  [{ temperature: -1 }, "temperature must be a number of at least 0, got -1"],
  [{ temperature: Number.NaN }, "temperature must be a number of at least 0, got NaN"],
  [{ topK: 0 }, "topK must be a whole number of at least 1, got 0"],
  [{ topP: 0 }, "topP must be a number above 0 and up to 1, got 0"],
  [{ topP: 1.1 }, "topP must be a number above 0 and up to 1, got 1.1"],
  [{ repetitionPenalty: 0 }, "repetitionPenalty must be a number above 0 (1: no penalty), got 0"],
  [{ seed: 0.5 }, "seed must be a whole number of at least 0, got 0.5"],
])("says what is wrong with %o", (options, message) => {
  const call = (): void => checkSampling(options);
  expect(call).toThrow(`generate: ${message}. Correct ${Object.keys(options)[0]}.`);
  expect(call).toThrow(expect.objectContaining({ code: "E_CONFIG" }));
});

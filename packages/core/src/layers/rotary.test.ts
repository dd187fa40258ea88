import { expect, it } from "vitest";

import { rotaryFrequencies } from "./rotary.js";

const base = { base: 10_000, width: 8, scaling: null };

it("gives base to the power of -2i / width", () => {
  const { frequencies, scale } = rotaryFrequencies(base, 10);
  for (const [i, wanted] of [1, 0.1, 0.01, 0.001].entries()) expect(frequencies[i]).toBeCloseTo(wanted, 6);
  expect(scale).toBe(1);
});

it("divides all frequencies by a linear factor", () => {
  const { frequencies } = rotaryFrequencies({ ...base, scaling: { kind: "linear", factor: 4 } }, 10);
  expect(frequencies[1]).toBeCloseTo(0.025, 7);
});

it("keeps Llama 3's short wavelengths and divides its long ones", () => {
  const scaling = {
    kind: "llama3",
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalPositions: 64,
  } as const;
  const { frequencies } = rotaryFrequencies({ base: 500_000, width: 32, scaling }, 10);
  const plain = rotaryFrequencies({ base: 500_000, width: 32, scaling: null }, 10).frequencies;
  expect(frequencies[0]).toBe(plain[0]);
  expect(frequencies[15]).toBeCloseTo((plain[15] ?? 0) / 8, 10);
});

it("takes longrope's long factors beyond the original positions only", () => {
  const scaling = {
    kind: "longrope",
    shortFactors: [1, 1, 1, 1],
    longFactors: [2, 2, 2, 2],
    originalPositions: 16,
    attentionFactor: 1.2,
  } as const;
  expect(rotaryFrequencies({ ...base, scaling }, 16).frequencies[0]).toBe(1);
  expect(rotaryFrequencies({ ...base, scaling }, 17)).toMatchObject({ scale: 1.2 });
  expect(rotaryFrequencies({ ...base, scaling }, 17).frequencies[0]).toBe(0.5);
});

it("refuses an odd width and a wrong number of factors", () => {
  expect(() => rotaryFrequencies({ ...base, width: 5 }, 1)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: rotaryFrequencies: the rotary width must be even and positive, got 5. Check head_dim and partial_rotary_factor. [E_CONFIG]]`,
  );
  const scaling = {
    kind: "longrope",
    shortFactors: [1],
    longFactors: [1],
    originalPositions: 16,
    attentionFactor: 1,
  } as const;
  expect(() => rotaryFrequencies({ ...base, scaling }, 1)).toThrowErrorMatchingInlineSnapshot(
    `[BasicError: rotaryFrequencies: longrope needs one factor per frequency: expected 4, got 1. [E_CONFIG]]`,
  );
});

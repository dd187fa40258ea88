import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type ConformanceOptions, planCases, runPlannedCase, startForConformance } from "./conformance.js";

/**
 * A vitest suite that makes a backend "supported": one test per case of each contract, forward and gradient.
 *
 * The device must start, and a known gap that passes again fails.
 */
export function testBackend(options: ConformanceOptions & { readonly stop?: () => void }): void {
  const planned = planCases(options);
  describe(`conformance of ${options.backend}`, () => {
    beforeAll(() => startForConformance(options));
    afterAll(() => options.stop?.());
    for (const entry of planned) {
      const gap = entry.gap === undefined ? "" : ` (known gap ${entry.gap.issue}: ${entry.gap.reason})`;
      it(`${entry.contract.name} is right for ${entry.testCase.title}${gap}`, async () => {
        expect(await runPlannedCase(entry, options.toleranceFactor)).toEqual([]);
      });
    }
  });
}

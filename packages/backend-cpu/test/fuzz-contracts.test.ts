import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";

import { start } from "../src/start.js";
import { leakCounters } from "./compare.js";
import { changes, contracts, foreignError } from "./fuzz/contracts.js";

beforeAll(async () => {
  await start({ threads: 2 });
});

it.each([...contracts])("%s refuses wrong calls with a BasicError, and keeps no memory", (_, contract) => {
  const before = leakCounters();
  fc.assert(
    fc.property(changes(contract), (change) => {
      expect(foreignError(change)).toBeUndefined();
      expect(leakCounters()).toEqual(before);
    }),
    { numRuns: 60, seed: 21 },
  );
});

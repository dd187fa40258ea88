import { describe, expect, it } from "vitest";

import { resolveEngine } from "../src/engine.js";
import { native } from "../src/native.js";
import { start } from "../src/start.js";
import { caseBits, differing } from "./case-bits.js";

// The slow lane runs this file on WebAssembly as well.
const sets = resolveEngine(undefined) === "wasm" ? ["simd128"] : native().instructionSets();

describe.each(sets)("%s", (instructionSet) => {
  it("gives the same bits for every case on 1, 2 and 4 threads", async () => {
    await start({ threads: 1, instructionSet });
    const expected = caseBits();
    expect(expected.size).toBeGreaterThan(100);
    for (const threads of [2, 4]) {
      await start({ threads, instructionSet });
      expect(differing(expected, caseBits())).toEqual([]);
    }
  });
});

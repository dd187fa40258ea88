import { describe, expect, it } from "vitest";

import { readPickle } from "./pickle.js";

const PROTO = [0x80, 2];
const [EMPTY_LIST, APPEND, STOP] = [0x5d, 0x61, 0x2e];
/** Notes the top of the stack as `key`; pushes it again. */
const put = (key: number): number[] => [0x71, key];
const get = (key: number): number[] => [0x68, key];

/** A list of two lists of two lists, and so on, `depth` deep: 2^depth texts when printed. */
function doubled(depth: number): number[] {
  const code = [EMPTY_LIST, ...put(0)];
  for (let key = 1; key <= depth; key++) {
    code.push(EMPTY_LIST, ...get(key - 1), APPEND, ...get(key - 1), APPEND, ...put(key));
  }
  return code;
}

describe("readPickle", () => {
  it("reads lists that hold one another, and prints none", () => {
    expect(readPickle(Uint8Array.of(...PROTO, ...doubled(3), STOP), "x.bin")).toHaveLength(2);
    const named = [...PROTO, ...doubled(60), EMPTY_LIST, 0x93, STOP];
    expect(() => readPickle(Uint8Array.from(named), "x.bin")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: x.bin is not a file of tensors: it names a class by something that is no text. [E_WEIGHTS_FORMAT]]`,
    );
  });
});

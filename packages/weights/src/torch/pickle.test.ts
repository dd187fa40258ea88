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

  it("stops before a pickle of nothing but containers fills the memory", () => {
    const dictionaries = new Uint8Array(2_000_001).fill(0x7d);
    expect(() => readPickle(dictionaries, "x.bin")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: x.bin is not a file of tensors: it has more than 2000000 opcodes, which no dictionary of tensors needs. [E_WEIGHTS_FORMAT]]`,
    );
  });

  it("keeps the shape of a tensor that the pickle appends to afterwards", () => {
    const text = (letters: string): number[] => [0x8c, letters.length, ...Buffer.from(letters)];
    const named = (module: string, name: string): number[] => [...text(module), ...text(name), 0x93];
    const [mark, tuple, tuple1, persistent, reduce, one] = [0x28, 0x74, 0x85, 0x51, 0x52, [0x4b, 1]] as const;
    const storage = [mark, ...text("storage"), ...named("torch", "FloatStorage"), ...text("0")];
    const code = [
      ...[...PROTO, ...named("torch._utils", "_rebuild_tensor_v2"), mark],
      ...[...storage, ...text("cpu"), ...one, tuple, persistent],
      ...[0x4b, 0, ...one, tuple1, ...put(1), ...one, tuple1, tuple, reduce, ...put(2)],
      ...[...get(1), ...text("3"), APPEND, ...get(2), STOP],
    ];
    expect(readPickle(Uint8Array.from(code), "x.bin")).toMatchObject({ shape: [1], strides: [1] });
  });
});

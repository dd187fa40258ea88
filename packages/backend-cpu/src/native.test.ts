import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadNative, native, platformPackage } from "./native.js";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "basic-mllm-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The message without the parts that depend on the machine. */
function messageOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    return (error as Error).message
      .replaceAll(folder, "<folder>")
      .replaceAll(platformPackage(), "<package>")
      .replaceAll(`${process.platform}-${process.arch}`, "<platform>")
      .replace(/: Error: .*?\. Delete/s, ": <cause>. Delete");
  }
  return "no error";
}

describe("loadNative", () => {
  it("says how to build the addon when there is none", () => {
    expect(messageOf(() => loadNative(folder))).toMatchInlineSnapshot(
      `"<package> is not installed. Install it with \`npm install <package>\`, or build it with \`npm run build:native\` in <folder> (needs Rust 1.89 or later, https://rustup.rs). [E_BACKEND_START]"`,
    );
  });

  it("says how to build it again when it does not load", () => {
    const file = path.join(folder, `basic-mllm-cpu.${process.platform}-${process.arch}.node`);
    writeFileSync(file, "not a library");
    expect(messageOf(() => loadNative(folder))).toMatchInlineSnapshot(
      `"The native addon <folder>/basic-mllm-cpu.<platform>.node does not load: <cause>. Delete it and build it again with \`npm run build:native\` in <folder>. [E_BACKEND_START]"`,
    );
  });
});

describe("the addon", () => {
  const f = (length: number) => new Float32Array(length);
  const wrong: Record<string, () => unknown> = {
    "a length that does not fit": () => native().unary(0, f(3), f(4), 0, 0),
    "an unknown function": () => native().unary(99, f(3), f(3), 0, 0),
    "an array of another type": () => native().unary(0, new Float64Array(3) as never, f(3), 0, 0),
    "something that is no array": () => native().unary(0, {} as never, f(3), 0, 0),
    "an index outside": () => native().gather(f(4), Int32Array.of(2), f(2), 1, 2, 2),
    "places past the end": () => native().copyStrided(f(4), 0, f(4), 1, Int32Array.of(4, 1, 1)),
    "places that meet": () => native().copyStrided(f(4), 0, f(4), 0, Int32Array.of(2, 1, 1, 2, 1, 1)),
    "negative strides": () => native().copyStrided(f(4), 0, f(4), 0, Int32Array.of(4, -1, 1)),
    "a broadcast past the end": () => native().binary(0, f(2), f(4), f(4), Int32Array.of(4, 1, 1)),
    "a reduction that does not fit": () => native().reduce(0, f(6), f(2), 2, 4, 1),
    "a product that does not fit": () => native().matmul(f(6), f(6), f(4), 1, 1, 2, 2, 4, false, false),
    "no threads": () => native().setThreadCount(0),
  };
  it.each(Object.entries(wrong))("throws on %s", (_, call) => {
    expect(call).toThrowErrorMatchingSnapshot();
  });

  it("throws when an output shares memory with an input", () => {
    const x = f(8);
    expect(() => native().unary(0, x.subarray(0, 4), x.subarray(3, 7), 0, 0)).toThrow("shares memory");
    native().unary(0, x.subarray(0, 4), x.subarray(4, 8), 0, 0);
  });

  it("takes an output without elements that lies within an input", () => {
    const x = f(8);
    expect(() => native().gather(x, new Int32Array(0), x.subarray(3, 3), 1, 4, 2)).not.toThrow();
    expect(() => native().gather(x, Int32Array.of(0), x.subarray(3, 5), 1, 4, 2)).toThrow("shares memory");
  });

  it("throws on sizes whose product would be 0 in 32 bits", () => {
    const side = 2 ** 16;
    expect(() => native().matmul(f(0), f(0), f(0), 1, 1, side, side, side, false, false)).toThrow(
      /expected 4294967296|sizes are too large/,
    );
  });

  it("throws on a block that was freed", () => {
    const block = native().allocateBlock(16);
    native().freeBlock(block);
    expect(() => native().fill(block, 1)).not.toThrow();
    expect(() => native().unary(0, block, f(16), 0, 0)).toThrow("16 elements, expected 0");
  });
});

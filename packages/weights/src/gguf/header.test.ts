import { describe, expect, it } from "vitest";

import { writeGguf } from "../../test/gguf-writer.js";
import { openGguf } from "./file.js";

const matrix = { name: "w", type: "Q4_1", shape: [2, 32] } as const;
const vector = { name: "v", type: "F32", shape: [3] } as const;
const whole = (): Uint8Array => writeGguf({ fields: { "general.name": "x" }, tensors: [matrix, vector] });

/** The file after `change`. */
function changed(change: (view: DataView, bytes: Uint8Array) => void): Uint8Array {
  const bytes = whole();
  change(new DataView(bytes.buffer), bytes);
  return bytes;
}

/** Where the information on tensor `name` begins, after its name. */
const infoOf = (bytes: Uint8Array, name: string): number =>
  Buffer.from(bytes).indexOf(`\u0001${"\0".repeat(7)}${name}`) + 9;

describe("openGguf", () => {
  it.each([2, 3])("reads version %d", async (version) => {
    const values = Float32Array.of(1, -2, 0.5);
    const file = await openGguf(
      writeGguf({
        version,
        fields: { "general.name": "x", list: ["a", "bc"], flag: true, small: 0.5 },
        tensors: [matrix, { ...vector, bytes: new Uint8Array(values.buffer) }],
      }),
    );
    expect(Object.fromEntries(file.metadata)).toEqual({
      "general.name": "x",
      list: ["a", "bc"],
      flag: true,
      small: 0.5,
    });
    expect(file.names).toEqual(["w", "v"]);
    expect(file.entry("w")).toMatchObject({ type: "Q4_1", shape: [2, 32], size: 64 });
    expect([...file.floats("v")]).toEqual([1, -2, 0.5]);
    expect(() => file.floats("u")).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: buffer holds no tensor "u". [E_WEIGHTS_MISSING]]`,
    );
  });

  it.each([
    ["is shorter than a header", whole().slice(0, 20)],
    ["is of another format", changed((view) => view.setUint8(0, 0))],
    ["is of version 1", changed((view) => view.setUint32(4, 1, true))],
    ["is big endian", changed((view) => view.setUint32(4, 3, false))],
    ["claims more tensors than it has bytes for", changed((view) => view.setBigUint64(8, 2n ** 60n, true))],
    [
      "claims more fields than it has bytes for",
      changed((view) => view.setBigUint64(16, 2n ** 64n - 1n, true)),
    ],
    ["ends within its header", whole().slice(0, 110)],
    ["ends within its tensors", whole().slice(0, -40)],
    ["has an absurd length of a name", changed((view) => view.setBigUint64(24, 2n ** 62n, true))],
    [
      "has a type that is not read",
      changed((view, bytes) => view.setUint32(infoOf(bytes, "v") + 12, 16, true)),
    ],
    ["has a dimension of 0", changed((view, bytes) => view.setBigUint64(infoOf(bytes, "v") + 4, 0n, true))],
    [
      "has an absurd dimension",
      changed((view, bytes) => view.setBigUint64(infoOf(bytes, "v") + 4, 2n ** 63n, true)),
    ],
    ["has a broken block", changed((view, bytes) => view.setBigUint64(infoOf(bytes, "w") + 4, 33n, true))],
    [
      "has a tensor that is not aligned",
      changed((view, bytes) => view.setBigUint64(infoOf(bytes, "v") + 16, 65n, true)),
    ],
    [
      "has tensors that overlap",
      changed((view, bytes) => view.setBigUint64(infoOf(bytes, "v") + 16, 0n, true)),
    ],
    [
      "has a tensor outside",
      changed((view, bytes) => view.setBigUint64(infoOf(bytes, "v") + 16, 4096n, true)),
    ],
    ["has two tensors of a name", writeGguf({ fields: {}, tensors: [vector, vector] })],
    ["has an alignment of 24", writeGguf({ fields: { "general.alignment": 24 }, tensors: [vector] })],
    [
      "has a field twice",
      writeGguf({
        fields: [
          ["a", 1],
          ["a", 2],
        ],
        tensors: [vector],
      }),
    ],
  ])("refuses a file that %s", async (_, bytes) => {
    await expect(openGguf(bytes)).rejects.toThrowErrorMatchingSnapshot();
  });

  it("names a file that is not there", async () => {
    await expect(openGguf("not-there.gguf")).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BasicError: not-there.gguf cannot be opened. Check the path. [E_WEIGHTS_MISSING]]`,
    );
  });
});

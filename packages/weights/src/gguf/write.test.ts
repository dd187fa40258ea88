import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { packQ8_0, unpack } from "@basic-mllm/core";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { encodeFloats } from "../dtypes.js";
import { bool, float32, float32s, type GgufValue, int32s, string, strings, uint32 } from "./field-values.js";
import { openGguf } from "./file.js";
import { blockLayouts } from "./tensor-types.js";
import { type GgufContents, type GgufTensor, ggufPieces, writeGguf, writtenTypes } from "./write.js";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gguf-write-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bytesOf(contents: GgufContents): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of ggufPieces(contents)) pieces.push(piece.slice());
  return new Uint8Array(Buffer.concat(pieces));
}

const anyValue: fc.Arbitrary<GgufValue> = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(uint32),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(float32),
  fc.boolean().map(bool),
  fc.string({ unit: "grapheme" }).map(string),
  fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })).map(int32s),
  fc.array(fc.float({ noNaN: true, noDefaultInfinity: true })).map(float32s),
  fc.array(fc.string()).map(strings),
);

const anyTensor = fc
  .record({
    name: fc.stringMatching(/^[a-z.0-9]{1,20}$/),
    type: fc.constantFrom(...writtenTypes),
    outer: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
    row: fc.integer({ min: 1, max: 3 }),
    seed: fc.infiniteStream(fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 })),
  })
  .map(({ name, type, outer, row, seed }) => {
    const shape = [...outer, row * blockLayouts[type].values];
    const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
      return seed.next().value as number;
    });
    return { name, type, shape, values: () => values };
  });

/** What a type makes of values. */
function rounded({ type, values }: GgufTensor): Float32Array {
  const given = values() as Float32Array;
  if (type === "F32") return given;
  if (type === "Q8_0") return unpack("q8_0", packQ8_0(given), given.length);
  const halves = new Uint16Array(encodeFloats(given, type).buffer as ArrayBuffer);
  return type === "BF16"
    ? Float32Array.from(halves, (bits) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0] as number)
    : unpackHalves(halves);
}

function unpackHalves(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (bits) => {
    const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return sign === 1 ? -size : size;
  });
}

describe("writeGguf", () => {
  it("writes what our reader reads back, bit for bit", async () => {
    const fields = fc.dictionary(fc.stringMatching(/^[a-z.]{1,20}$/), anyValue, { maxKeys: 6 });
    const tensors = fc.uniqueArray(anyTensor, { selector: ({ name }) => name, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fields, tensors, async (given, list) => {
        // Fields that change how a file is read.
        fc.pre(!Object.hasOwn(given, "general.alignment"));
        const file = await openGguf(await bytesOf({ fields: given, tensors: list }));
        for (const [name, { value }] of Object.entries(given)) {
          expect(file.metadata.get(name), name).toEqual(value);
        }
        expect(file.names).toEqual(list.map(({ name }) => name));
        for (const tensor of list) {
          expect(file.entry(tensor.name)).toMatchObject({ type: tensor.type, shape: tensor.shape });
          expect(file.floats(tensor.name)).toEqual(rounded(tensor));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("writes a file, and nothing where a tensor fails", async () => {
    const path = join(folder, "model.gguf");
    const tensor = { name: "w", type: "F32", shape: [2], values: async () => Float32Array.of(1, 2) } as const;
    await writeGguf(path, { fields: { a: uint32(1) }, tensors: [tensor] });
    const file = await openGguf(path);
    expect([...file.floats("w")]).toEqual([1, 2]);
    file.close();
    const broken = { ...tensor, values: () => Promise.reject(new Error("gone")) };
    await expect(
      writeGguf(join(folder, "broken.gguf"), { fields: {}, tensors: [broken] }),
    ).rejects.toThrowError("gone");
    expect(readdirSync(folder)).toEqual(["model.gguf"]);
  });

  it.each([
    ["rows that are no whole blocks", [{ name: "w", type: "Q8_0", shape: [2, 33], count: 66 }]],
    ["five dimensions", [{ name: "w", type: "F32", shape: [1, 1, 1, 1, 1], count: 1 }]],
    ["too few values", [{ name: "w", type: "F16", shape: [2, 2], count: 3 }]],
    [
      "two tensors of a name",
      [
        { name: "w", type: "F32", shape: [1], count: 1 },
        { name: "w", type: "F32", shape: [1], count: 1 },
      ],
    ],
  ] as const)("refuses %s", async (_, list) => {
    const tensors = list.map(({ count, ...tensor }) => ({
      ...tensor,
      values: () => new Float32Array(count),
    }));
    await expect(bytesOf({ fields: {}, tensors })).rejects.toThrowErrorMatchingSnapshot();
  });
});

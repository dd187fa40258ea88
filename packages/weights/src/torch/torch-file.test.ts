import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { bytesInMemory } from "../safetensors.js";
import { readTorchFile, TorchFile } from "./torch-file.js";
import { readZipEntries } from "./zip.js";

// Written by torch 2.15: see test/fixtures/README.md.
const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/${name}.bin`, import.meta.url));

/** What opening a fixture throws, without its folder. */
function messageOf(name: string): string {
  try {
    readTorchFile(fixture(name));
  } catch (error) {
    return (error as Error).message.replace(/^\S*\//, "");
  }
  throw new Error("nothing was thrown");
}

describe("readTorchFile", () => {
  it("reads the projector of a LLaVA checkpoint, in float16 and bfloat16", () => {
    const file = readTorchFile(fixture("mm_projector"));
    expect(file.names).toEqual([
      "model.mm_projector.0.weight",
      "model.mm_projector.0.bias",
      "model.mm_projector.2.weight",
      "model.mm_projector.2.bias",
    ]);
    expect(file.entry("model.mm_projector.0.weight")).toEqual({
      name: "model.mm_projector.0.weight",
      dtype: "F16",
      shape: [4, 3],
    });
    expect([...file.floats("model.mm_projector.0.weight")]).toEqual(
      Array.from({ length: 12 }, (_, i) => i / 8 - 0.5),
    );
    expect([...file.floats("model.mm_projector.0.bias")]).toEqual([0.5, -1, 2, 0]);
    expect(file.entry("model.mm_projector.2.weight").dtype).toBe("BF16");
    expect([...file.floats("model.mm_projector.2.weight")]).toEqual(
      Array.from({ length: 16 }, (_, i) => i / 4 - 2),
    );
    file.close();
  });

  it("reads transposed, strided and shared storages row-major, and every type", () => {
    const file = readTorchFile(fixture("layouts"));
    const floats = (name: string) => [...file.floats(name)];
    expect(floats("plain")).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(file.entry("transposed").shape).toEqual([4, 3]);
    expect(floats("transposed")).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    expect(floats("column")).toEqual([1, 5, 9]);
    expect(floats("shared")).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(floats("double")).toEqual([1.5, -2.25]);
    expect(floats("scalar")).toEqual([3]);
    expect(floats("empty")).toEqual([]);
    expect(floats("parameter")).toEqual([1, 2]);
    expect([...file.integers("long")]).toEqual([-1, 7]);
    expect([...file.integers("int")]).toEqual([5]);
    expect([...file.integers("byte")]).toEqual([0, 255]);
    expect([...file.integers("flag")]).toEqual([1, 0]);
    file.close();
  });

  it("refuses code by its name, and runs none", () => {
    expect(messageOf("code")).toMatchInlineSnapshot(
      `"code.bin is not a file of tensors: it asks for "posix.system", and a file of tensors needs no such code. It may be malicious: never open it with pickle. Files with other objects must be saved again as a plain dictionary of tensors. [E_WEIGHTS_FORMAT]"`,
    );
  });

  it("explains files of other forms", () => {
    expect(messageOf("legacy")).toMatchInlineSnapshot(
      `"legacy.bin has the form of torch.save from before PyTorch 1.6, expected a zip archive. Load it with PyTorch (weights_only=True) and save it again. [E_WEIGHTS_FORMAT]"`,
    );
    expect(messageOf("nested")).toMatchInlineSnapshot(
      `"nested.bin is not a readable file of torch.save: its entry "state" is a dictionary, expected a flat dictionary of tensors. Save the inner dictionary alone. [E_WEIGHTS_FORMAT]"`,
    );
    expect(messageOf("expanded")).toMatchInlineSnapshot(
      `"expanded.bin is not a readable file of torch.save: tensor "w" of shape [5] repeats the values of its storage. Save it again after .contiguous(). [E_WEIGHTS_FORMAT]"`,
    );
    expect(messageOf("not-there")).toMatchInlineSnapshot(
      `"not-there.bin cannot be opened. Check the path. [E_WEIGHTS_MISSING]"`,
    );
    expect(() => new TorchFile(new Uint8Array(40))).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: buffer is not a valid zip archive of torch.save: it has no directory at its end, as if the download was cut off. [E_WEIGHTS_FORMAT]]`,
    );
  });

  it("refuses a file wherever it is cut", () => {
    const whole = readFileSync(fixture("layouts"));
    for (let length = 0; length < whole.length; length += 7) {
      expect(() => new TorchFile(new Uint8Array(whole.subarray(0, length)))).toThrowError(
        /\[E_WEIGHTS_FORMAT\]$/,
      );
    }
  });

  it("refuses a name that is a list, however often it holds others", () => {
    // A list noted as 0; lists of twice the one before, noted as 1 to 40; a dictionary with the last as a key.
    const lists = Array.from({ length: 40 }, (_, i) => [0x5d, 0x68, i, 0x61, 0x68, i, 0x61, 0x71, i + 1]);
    const pickle = [0x80, 2, 0x5d, 0x71, 0, ...lists.flat(), 0x7d, 0x68, 40, 0x4e, 0x73, 0x2e];
    const bytes = new Uint8Array(readFileSync(fixture("layouts")));
    const [, entry] =
      [...readZipEntries(bytesInMemory(bytes))].find(([name]) => name.endsWith("data.pkl")) ?? [];
    bytes.set(pickle, entry?.begin);
    expect(() => new TorchFile(bytes)).toThrowErrorMatchingInlineSnapshot(
      `[BasicError: buffer is not a readable file of torch.save: its entry whose name is no text is no tensor, expected a flat dictionary of tensors. Save the inner dictionary alone. [E_WEIGHTS_FORMAT]]`,
    );
  });

  it("names a tensor that is not there", () => {
    const file = readTorchFile(fixture("mm_projector"));
    expect(() => file.floats("x")).toThrowError(/holds no tensor "x"\. \[E_WEIGHTS_MISSING\]$/);
    file.close();
  });
});

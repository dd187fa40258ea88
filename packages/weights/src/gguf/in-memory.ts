import { bytesInMemory } from "../safetensors.js";
import type { GgufFieldValues } from "./field-values.js";
import { GgufFile } from "./file.js";
import type { GgufEntry } from "./header.js";
import type { GgufTensor } from "./write.js";

/**
 * What a reader would see of a file that is not written yet, without the values of its tensors: so that what is written
 * can be held against what is read.
 *
 * @param location - For messages.
 */
export function describeGguf(
  fields: GgufFieldValues,
  tensors: readonly Pick<GgufTensor, "name" | "shape" | "type">[],
  location: string,
): GgufFile {
  const metadata = new Map(Object.entries(fields).map(([name, { value }]) => [name, value as unknown]));
  const entries = tensors.map(({ name, shape, type }): [string, GgufEntry] => {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    return [name, { name, shape, type, size, begin: 0, end: 0 }];
  });
  const source = { ...bytesInMemory(new Uint8Array()), location };
  return new GgufFile(source, { metadata, entries: new Map(entries) });
}

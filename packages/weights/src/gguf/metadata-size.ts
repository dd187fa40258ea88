import { GGUFValueType } from "@huggingface/gguf";

/** Fields of a header with their types. */
export type MetadataEntries = Readonly<
  Record<string, { readonly value: unknown; readonly type: GGUFValueType; readonly subType?: GGUFValueType }>
>;

const fixedBytes: Readonly<Partial<Record<GGUFValueType, number>>> = {
  [GGUFValueType.UINT8]: 1,
  [GGUFValueType.INT8]: 1,
  [GGUFValueType.BOOL]: 1,
  [GGUFValueType.UINT16]: 2,
  [GGUFValueType.INT16]: 2,
  [GGUFValueType.UINT32]: 4,
  [GGUFValueType.INT32]: 4,
  [GGUFValueType.FLOAT32]: 4,
  [GGUFValueType.UINT64]: 8,
  [GGUFValueType.INT64]: 8,
  [GGUFValueType.FLOAT64]: 8,
};

/**
 * Compares what the fields would take when written again with the bytes they came from. They differ where a field
 * is there twice, and where the parser lost the end of a text at the edge of one of its 2 MB chunks, which it does
 * not notice.
 *
 * @returns What is wrong, or null. Texts that are not valid UTF-8 cannot be compared: then null.
 */
export function checkMetadataSize(fields: MetadataEntries, bytes: number): string | null {
  let total = 0;
  for (const [name, { value, type, subType }] of Object.entries(fields)) {
    const size = sizeOf(value, type, subType);
    if (size === null) return null;
    total += 8 + Buffer.byteLength(name) + 4 + size;
  }
  if (total === bytes) return null;
  return `its metadata takes ${bytes} bytes, but what was read of it takes ${total}: a field is there twice, or a text was cut.`;
}

/** Bytes of a value; null where a text was not valid UTF-8, or lists hold lists. */
function sizeOf(value: unknown, type: GGUFValueType, subType?: GGUFValueType): number | null {
  if (type === GGUFValueType.STRING) return sizeOfText(String(value), false);
  if (type !== GGUFValueType.ARRAY) return fixedBytes[type] ?? null;
  const list = value as readonly unknown[];
  if (subType !== GGUFValueType.STRING) {
    const each = subType === undefined ? undefined : fixedBytes[subType];
    return each === undefined ? null : 12 + each * list.length;
  }
  let total = 12;
  for (const [i, text] of list.entries()) {
    const size = sizeOfText(String(text), i === list.length - 1);
    if (size === null) return null;
    total += size;
  }
  return total;
}

/** The last text of a list is the one that can be cut, also within a character. */
function sizeOfText(text: string, mayBeCut: boolean): number | null {
  if (!mayBeCut && text.includes("\uFFFD")) return null;
  return 8 + Buffer.byteLength(text);
}

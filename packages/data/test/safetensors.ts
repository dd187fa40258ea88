import { readFile } from "node:fs/promises";

/** Bytes of the tensors of a safetensors file, by name: enough to read golden values. */
export async function readTensors(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const bytes = new Uint8Array(await readFile(path));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { readonly data_offsets?: readonly [number, number] }
  >;
  return new Map(
    Object.entries(header).flatMap(([name, { data_offsets }]) => {
      if (data_offsets === undefined) return [];
      const [start, end] = data_offsets;
      return [[name, bytes.slice(8 + length + start, 8 + length + end)] as const];
    }),
  );
}

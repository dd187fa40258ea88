import type { PackedRows } from "@basic-mllm/core";

import type { Safetensors } from "../src/index.js";

/** The valid rows of a right-padded batch, and where they stand in it. */
export function packCase(
  data: Safetensors,
  lengths: readonly number[],
): { packed: PackedRows; rows: readonly number[] } {
  const width = data.entry("in.input_ids").shape[1] as number;
  const rows = lengths.flatMap((length, b) => Array.from({ length }, (_, t) => b * width + t));
  const take = (name: string) => {
    const values = data.integers(name);
    return Int32Array.from(rows, (row) => values[row] as number);
  };
  const labels = take("in.labels");
  const offsets = Int32Array.from([
    0,
    ...lengths.map((_, b) => lengths.slice(0, b + 1).reduce((a, c) => a + c)),
  ]);
  const packed: PackedRows = {
    ids: take("in.input_ids"),
    offsets,
    positions: Int32Array.from(rows, (row) => row % width),
    images: [],
    countsAsText: Int32Array.from(rows, () => 1),
    labels: labels.map((_, row) => (offsets.includes(row + 1) ? -100 : (labels[row + 1] as number))),
  };
  return { packed, rows };
}

/** Positions of the values of `rows` in `[rows, width]`. */
export function valuesOf(rows: readonly number[], width: number): number[] {
  return rows.flatMap((row) => Array.from({ length: width }, (_, d) => row * width + d));
}

/**
 * The row of a `llama` file that each row of a query or key product comes from. llama.cpp turns neighbouring values of a
 * head (2j, 2j + 1) and its converter reorders the rows for that; we turn j and j + width / 2, as Hugging Face does.
 *
 * @param size - Rows: heads × width.
 */
export function rotaryRows(size: number, headWidth: number): Int32Array {
  const half = headWidth / 2;
  return Int32Array.from({ length: size }, (_, row) => {
    const place = row % headWidth;
    return row - place + 2 * (place % half) + Math.floor(place / half);
  });
}

/** The bytes of `order.length` rows in another order: row i is `order[i]` of the bytes given. */
export function reorderRows(bytes: Uint8Array, order: Int32Array): Uint8Array {
  const width = bytes.length / order.length;
  const out = new Uint8Array(bytes.length);
  for (const [row, from] of order.entries()) {
    out.set(bytes.subarray(from * width, (from + 1) * width), row * width);
  }
  return out;
}

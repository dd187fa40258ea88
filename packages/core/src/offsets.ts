/** Where each of `counts` begins when they follow each other, and the end of the last one: one more than there are. */
export function offsetsOf(counts: readonly number[]): Int32Array {
  const offsets = new Int32Array(counts.length + 1);
  for (const [i, count] of counts.entries()) offsets[i + 1] = (offsets[i] as number) + count;
  return offsets;
}

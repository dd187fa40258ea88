import { halfOfBits, halfValues } from "@basic-mllm/core";

/** Values as IEEE half floats, rounded to nearest even; too large ones become infinite. */
export function toHalf(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) halves[i] = halfOfBits(words[i] as number);
  return halves;
}

/** Half floats as numbers, written into `target` from `start` on. */
export function fromHalf(values: Uint16Array, target: Float32Array, start = 0): void {
  const known = halfValues();
  for (let i = 0; i < values.length; i++) target[start + i] = known[values[i] as number] as number;
}

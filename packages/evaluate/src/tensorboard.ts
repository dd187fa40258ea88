/** Polynomial of CRC-32C, reflected. */
const CASTAGNOLI = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ CASTAGNOLI : value >>> 1;
  return value >>> 0;
});

/** CRC-32C of `bytes`. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}

function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** TFRecord framing: length, its checksum, data, its checksum. */
function frame(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return out;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

function lengthDelimited(field: number, bytes: readonly number[]): number[] {
  return [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
}

function fixed(field: number, value: number, bits: 32 | 64): number[] {
  const view = new DataView(new ArrayBuffer(bits / 8));
  if (bits === 64) view.setFloat64(0, value, true);
  else view.setFloat32(0, value, true);
  return [...varint(field * 8 + (bits === 64 ? 1 : 5)), ...new Uint8Array(view.buffer)];
}

/** First record of every event file. @param wallTime - Seconds since 1970. */
export function fileVersionEvent(wallTime: number): Uint8Array {
  const version = [...new TextEncoder().encode("brain.Event:2")];
  return frame(Uint8Array.from([...fixed(1, wallTime, 64), ...lengthDelimited(3, version)]));
}

/**
 * One record of a TensorBoard event file with scalars.
 *
 * Source: tensorflow/core/util/event.proto and framework/summary.proto.
 *
 * @param wallTime - Seconds since 1970.
 */
export function scalarEvent(
  wallTime: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const values = Object.entries(scalars).flatMap(([tag, value]) => {
    const name = lengthDelimited(1, [...new TextEncoder().encode(tag)]);
    return lengthDelimited(1, [...name, ...fixed(2, value, 32)]);
  });
  const event = [...fixed(1, wallTime, 64), ...varint(2 * 8), ...varint(step), ...lengthDelimited(5, values)];
  return frame(Uint8Array.from(event));
}

import { BasicError, halfValues, unpack } from "@basic-mllm/core";

import { aligned, decodeFloats } from "../dtypes.js";
import { blockLayouts, byteLength, type GgufType } from "./tensor-types.js";

/**
 * The values that the bytes of a tensor stand for, in float32: bit for bit those of ggml's reference.
 *
 * Source: the block structures of ggml. Scales `d` and minima `m` are half precision.
 *
 * - `Q4_0`: `d (q − 8)`; `Q5_0`: `d (q − 16)`; `Q8_0`: `d q`, 32 values a block
 * - `Q4_1`, `Q5_1`: `d q + m`, 32 values a block
 * - `Q4_K`: `d sᵢ q − m tᵢ`, 256 values in 8 groups with 6-bit sᵢ and tᵢ
 * - `Q6_K`: `d sᵢ (q − 32)`, 256 values in 16 groups with 8-bit sᵢ
 *
 * @param where - File and tensor, for messages.
 * @throws `BasicError` `E_WEIGHTS_FORMAT` when the bytes are not those of `count` values.
 */
export function dequantise(bytes: Uint8Array, type: GgufType, count: number, where: string): Float32Array {
  const block = blockLayouts[type].values;
  if (count % block !== 0 || bytes.length !== byteLength(type, count)) {
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `${where}: ${count} values of type ${type} (blocks of ${block}) need ${byteLength(type, count)} bytes, got ${bytes.length}. Is the file damaged?`,
    );
  }
  switch (type) {
    case "F32":
    case "F16":
    case "BF16":
      return decodeFloats(bytes, type, where);
    case "Q8_0":
      return unpack("q8_0", wordsOfBytes(bytes), count);
    case "Q4_0":
      return unpack("q4_0", wordsOfBytes(bytes), count);
    case "Q4_1":
      return unpack("q4_1", wordsOfBytes(bytes), count);
    case "Q5_0":
    case "Q5_1":
      return eachBlock(bytes, { type, count, decode: type === "Q5_0" ? decodeQ50 : decodeQ51 });
    case "Q4_K":
      return eachBlock(bytes, { type, count, decode: decodeQ4K });
    case "Q6_K":
      return eachBlock(bytes, { type, count, decode: decodeQ6K });
  }
}

/** Bytes as little-endian int32 words, padded with zeros: how core keeps packed weights. */
export function wordsOfBytes(bytes: Uint8Array): Int32Array {
  if (bytes.length % 4 === 0) return new Int32Array(aligned(bytes));
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  return new Int32Array(padded.buffer);
}

/** Bytes of one block, and where its values go. */
interface Block {
  readonly bytes: Uint8Array;
  readonly out: Float32Array;
}

function eachBlock(
  bytes: Uint8Array,
  options: { readonly type: GgufType; readonly count: number; readonly decode: (block: Block) => void },
): Float32Array {
  const { type, count, decode } = options;
  const layout = blockLayouts[type];
  const out = new Float32Array(count);
  for (let i = 0; i * layout.values < count; i++) {
    decode({
      bytes: bytes.subarray(i * layout.bytes, (i + 1) * layout.bytes),
      out: out.subarray(i * layout.values, (i + 1) * layout.values),
    });
  }
  return out;
}

function half(bytes: Uint8Array, at: number): number {
  return halfValues()[(bytes[at] as number) | ((bytes[at + 1] as number) << 8)] as number;
}

/** d, 4 bytes with the fifth bits, 16 bytes of nibbles. */
function decodeQ50({ bytes, out }: Block): void {
  const d = half(bytes, 0);
  decodeFiveBits({ bytes: bytes.subarray(2), out }, (q) => d * (q - 16));
}

/** d, m, 4 bytes with the fifth bits, 16 bytes of nibbles. */
function decodeQ51({ bytes, out }: Block): void {
  const [d, m] = [half(bytes, 0), half(bytes, 2)];
  decodeFiveBits({ bytes: bytes.subarray(4), out }, (q) => d * q + m);
}

/** Value i has its low bits in the low half of byte 4 + i, value i + 16 in the high half. */
function decodeFiveBits({ bytes, out }: Block, value: (q: number) => number): void {
  for (let i = 0; i < 16; i++) {
    const byte = bytes[4 + i] as number;
    out[i] = value((byte & 15) | (bitOf(bytes, i) << 4));
    out[i + 16] = value((byte >>> 4) | (bitOf(bytes, i + 16) << 4));
  }
}

function bitOf(bytes: Uint8Array, i: number): number {
  return ((bytes[i >>> 3] as number) >>> (i & 7)) & 1;
}

/** d, m, 12 bytes with eight 6-bit scales and minima, 128 bytes of nibbles. */
function decodeQ4K({ bytes, out }: Block): void {
  const [d, m] = [half(bytes, 0), half(bytes, 2)];
  const packed = bytes.subarray(4, 16);
  const levels = bytes.subarray(16);
  for (let group = 0; group < 8; group++) {
    const scale = d * scaleOf(packed, group);
    const minimum = m * minimumOf(packed, group);
    // Groups 2n and 2n + 1 are the low and the high halves of the same 32 bytes.
    const shift = (group & 1) * 4;
    const from = (group >>> 1) * 32;
    for (let i = 0; i < 32; i++) {
      out[group * 32 + i] = scale * (((levels[from + i] as number) >>> shift) & 15) - minimum;
    }
  }
}

/** The first four are the low 6 bits of bytes 0 to 3, the others share bytes 8 to 11 and the top bits of 0 to 3. */
function scaleOf(packed: Uint8Array, group: number): number {
  const at = (i: number) => packed[i] as number;
  return group < 4 ? at(group) & 63 : (at(group + 4) & 15) | ((at(group - 4) >>> 6) << 4);
}

function minimumOf(packed: Uint8Array, group: number): number {
  const at = (i: number) => packed[i] as number;
  return group < 4 ? at(group + 4) & 63 : (at(group + 4) >>> 4) | ((at(group) >>> 6) << 4);
}

/** 128 bytes of low nibbles, 64 bytes of two high bits, 16 int8 scales, d. */
function decodeQ6K({ bytes, out }: Block): void {
  const d = half(bytes, 208);
  for (let i = 0; i < 256; i++) {
    const part = i >>> 7;
    // Four runs of 32 values a half: the runs 0, 1 are the low, 2, 3 the high nibbles of 64 bytes.
    const run = (i >>> 5) & 3;
    const lane = i & 31;
    const low = ((bytes[part * 64 + (run & 1) * 32 + lane] as number) >>> ((run >>> 1) * 4)) & 15;
    const high = ((bytes[128 + part * 32 + lane] as number) >>> (run * 2)) & 3;
    const scale = ((bytes[192 + (i >>> 4)] as number) << 24) >> 24;
    out[i] = d * scale * ((low | (high << 4)) - 32);
  }
}

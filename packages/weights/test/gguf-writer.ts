import { blockLayouts, byteLength, type GgufType } from "../src/gguf/tensor-types.js";

/** A text, flag, uint32 (whole numbers), float32 (others), or a list of texts or float32. */
export type GgufValue = string | boolean | number | readonly string[] | readonly number[];

/** A tensor whose shape is row-major. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgufType;
  readonly shape: readonly number[];
  /** Zeros by default. */
  readonly bytes?: Uint8Array;
}

/** What {@link writeGguf} writes. */
export interface GgufContents {
  readonly version?: number;
  readonly fields: Readonly<Record<string, GgufValue>> | readonly (readonly [string, GgufValue])[];
  readonly tensors: readonly GgufTensor[];
}

const ALIGNMENT = 32;

/** A GGUF file, little endian. */
export function writeGguf({ version = 3, fields, tensors }: GgufContents): Uint8Array {
  const pairs = Array.isArray(fields) ? (fields as [string, GgufValue][]) : Object.entries(fields);
  const header = [Buffer.from("GGUF"), u32(version), u64(tensors.length), u64(pairs.length)];
  for (const [name, value] of pairs) header.push(text(name), ...typed(value));
  const data: Buffer[] = [];
  let offset = 0;
  for (const { name, type, shape, bytes } of tensors) {
    header.push(text(name), u32(shape.length), ...[...shape].reverse().map(u64));
    header.push(u32(blockLayouts[type].id), u64(offset));
    const size = byteLength(
      type,
      shape.reduce((product, dimension) => product * dimension, 1),
    );
    data.push(padded(Buffer.from(bytes ?? new Uint8Array(size))));
    offset += data.at(-1)?.length ?? 0;
  }
  return new Uint8Array(Buffer.concat([padded(Buffer.concat(header)), ...data]));
}

function typed(value: GgufValue): Buffer[] {
  if (typeof value === "string") return [u32(8), text(value)];
  if (typeof value === "boolean") return [u32(7), Buffer.of(Number(value))];
  if (typeof value === "number") return Number.isInteger(value) ? [u32(4), u32(value)] : [u32(6), f32(value)];
  const isText = typeof value[0] === "string";
  const items = value.map((item) => (typeof item === "string" ? text(item) : f32(item)));
  return [u32(9), u32(isText ? 8 : 6), u64(items.length), ...items];
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}

/** Fields of a llama model with one block of 32 channels, and a tokenizer of four pieces. */
export const llamaFields: Readonly<Record<string, GgufValue>> = {
  "general.architecture": "llama",
  "llama.embedding_length": 32,
  "llama.block_count": 1,
  "llama.context_length": 64,
  "llama.feed_forward_length": 32,
  "llama.attention.head_count": 2,
  "llama.attention.head_count_kv": 1,
  "llama.attention.layer_norm_rms_epsilon": 1e-5,
  "tokenizer.ggml.model": "llama",
  "tokenizer.ggml.tokens": ["<s>", "a", "b", "ab"],
  "tokenizer.ggml.scores": [0, -1.5, -2.5, -0.5],
  "tokenizer.ggml.token_type": [3, 1, 1, 1],
  "tokenizer.ggml.bos_token_id": 0,
};

/** The tensors that belong to {@link llamaFields}; matrices of the block are Q4_1. */
export const llamaTensors: readonly GgufTensor[] = [
  { name: "token_embd.weight", type: "F32", shape: [4, 32] },
  { name: "output_norm.weight", type: "F32", shape: [32] },
  { name: "blk.0.attn_norm.weight", type: "F32", shape: [32] },
  { name: "blk.0.ffn_norm.weight", type: "F32", shape: [32] },
  { name: "blk.0.attn_q.weight", type: "Q4_1", shape: [32, 32] },
  { name: "blk.0.attn_k.weight", type: "Q4_1", shape: [16, 32] },
  { name: "blk.0.attn_v.weight", type: "Q4_1", shape: [16, 32] },
  { name: "blk.0.attn_output.weight", type: "Q4_1", shape: [32, 32] },
  { name: "blk.0.ffn_gate.weight", type: "Q4_1", shape: [32, 32] },
  { name: "blk.0.ffn_up.weight", type: "Q4_1", shape: [32, 32] },
  { name: "blk.0.ffn_down.weight", type: "Q4_1", shape: [32, 32] },
];

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Size of the encoder that {@link writeTinyEncoder} writes. */
export interface TinyEncoder {
  readonly imageSize: number;
  readonly patchSize: number;
  readonly width: number;
}

/** Numbers of ONNX's enums. */
const FLOAT = 1;
const INT64 = 7;
const INTS = 7;

/**
 * Writes a vision encoder as the hub keeps it: `config.json` and `onnx/vision_model.onnx`.
 *
 * `last_hidden_state[b, j] = tanh(W · patch_j)` for each square patch: a ViT of depth 0. W looks at the patch's colour
 * and a little at its texture.
 */
export function writeTinyEncoder(folder: string, { imageSize, patchSize, width }: TinyEncoder): void {
  const config = {
    model_type: "siglip",
    vision_config: { image_size: imageSize, patch_size: patchSize, hidden_size: width },
  };
  mkdirSync(join(folder, "onnx"), { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  writeFileSync(join(folder, "onnx", "vision_model.onnx"), onnxModel({ imageSize, patchSize, width }));
}

/** `[B, 3, S, S]` to `[B, 3, g, p, g, p]`, turned to `[B, g², 3p²]`, times W, through tanh. 0 keeps a dimension. */
function onnxModel({ imageSize, patchSize: p, width }: TinyEncoder): Uint8Array {
  const g = imageSize / p;
  const inputs = 3 * p * p;
  const weight = Float32Array.from({ length: inputs * width }, (_, i) => {
    const channel = Math.floor(i / (p * p * width));
    return (Math.cos(1.7 * (i % width) + 2 * channel) + Math.sin(12.9898 * i)) / (p * p);
  });
  const graph = [
    bytes(1, node("Reshape", ["pixel_values", "split"], "patches")),
    bytes(1, node("Transpose", ["patches"], "turned", [0, 2, 4, 1, 3, 5])),
    bytes(1, node("Reshape", ["turned", "merge"], "rows")),
    bytes(1, node("MatMul", ["rows", "weight"], "product")),
    bytes(1, node("Tanh", ["product"], "last_hidden_state")),
    text(2, "tiny"),
    bytes(5, tensor("split", [6], BigInt64Array.from([0, 0, g, p, g, p], BigInt), INT64)),
    bytes(5, tensor("merge", [3], BigInt64Array.from([0, g * g, inputs], BigInt), INT64)),
    bytes(5, tensor("weight", [inputs, width], weight, FLOAT)),
    bytes(11, value("pixel_values", [3, imageSize, imageSize])),
    bytes(12, value("last_hidden_state", [g * g, width])),
  ];
  return concat(number(1, 8), bytes(8, concat(text(1, ""), number(2, 17))), bytes(7, concat(...graph)));
}

/** NodeProto, with `perm` where there is one. */
function node(type: string, inputs: readonly string[], output: string, perm?: readonly number[]): Uint8Array {
  const fields = [...inputs.map((name) => text(1, name)), text(2, output), text(4, type)];
  if (perm === undefined) return concat(...fields);
  const attribute = concat(text(1, "perm"), ...perm.map((axis) => number(8, axis)), number(20, INTS));
  return concat(...fields, bytes(5, attribute));
}

/** TensorProto with raw little-endian data. */
function tensor(
  name: string,
  dims: readonly number[],
  data: Float32Array | BigInt64Array,
  type: number,
): Uint8Array {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return concat(...dims.map((dim) => number(1, dim)), number(2, type), text(8, name), bytes(9, raw));
}

/** ValueInfoProto: a float tensor whose first dimension is the batch. */
function value(name: string, dims: readonly number[]): Uint8Array {
  const shape = [bytes(1, text(2, "batch")), ...dims.map((dim) => bytes(1, number(1, dim)))];
  const type = bytes(1, concat(number(1, FLOAT), bytes(2, concat(...shape))));
  return concat(text(1, name), bytes(2, type));
}

/** Protocol buffers: a field is its number and kind, then a varint, or a length and bytes. */
function number(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

function bytes(field: number, content: Uint8Array): Uint8Array {
  return concat(Uint8Array.from([...varint(field * 8 + 2), ...varint(content.length)]), content);
}

function text(field: number, content: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(content));
}

function varint(value: number): readonly number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

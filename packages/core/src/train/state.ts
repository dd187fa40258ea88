import { BasicError } from "../errors.js";

/** float32 values with their shape, on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Named tensors and text fields: what a checkpoint file holds. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** int32 vectors beside them: packed values. */
  readonly words?: ReadonlyMap<string, Int32Array>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const LENGTH_BYTES = 8;
const ALIGNMENT = 8;
const ADVICE = "Expected a whole safetensors file of float32 tensors: copy or download it again.";

/** Writes tensors as a safetensors file: exact bytes, in the order of the maps. */
export function encodeTensors(file: TensorFile): Uint8Array {
  const header: Record<string, HeaderEntry | Readonly<Record<string, string>>> = {
    __metadata__: file.metadata,
  };
  let offset = 0;
  const vectors = [...(file.words ?? [])].map(([name, values]) => ({ name, shape: [values.length], values }));
  const entries = [...[...file.tensors].map(([name, tensor]) => ({ name, ...tensor })), ...vectors];
  for (const { name, shape, values } of entries) {
    const end = offset + values.byteLength;
    const dtype = values instanceof Int32Array ? "I32" : "F32";
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const headerLength = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(LENGTH_BYTES + headerLength + offset).fill(0x20, LENGTH_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(json, LENGTH_BYTES);
  let place = LENGTH_BYTES + headerLength;
  for (const { values } of entries) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), place);
    place += values.byteLength;
  }
  return bytes;
}

/**
 * Reads a file of {@link encodeTensors}, or any safetensors file of float32 tensors and int32 vectors.
 *
 * @param where - Name of the file, for messages.
 * @throws {@link BasicError} `E_CHECKPOINT_CORRUPT` where it is cut short or not such a file.
 */
export function decodeTensors(bytes: Uint8Array, where: string): TensorFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = bytes.length < LENGTH_BYTES ? Number.NaN : Number(view.getBigUint64(0, true));
  const start = LENGTH_BYTES + headerLength;
  if (!(start <= bytes.length)) throw corrupt(where, `it ends after ${bytes.length} bytes`);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, start), where);
  if (typeof header !== "object" || header === null) throw corrupt(where, "its header is not an object");
  const tensors = new Map<string, HostTensor>();
  const words = new Map<string, Int32Array>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const data = bytes.subarray(start);
    const isWords = (entry as Partial<HeaderEntry> | null)?.dtype === "I32";
    const tensor = readTensor(data, entry as HeaderEntry, { where: `${where}: "${name}"`, isWords });
    if (isWords) words.set(name, new Int32Array(tensor.values.buffer));
    else tensors.set(name, tensor);
  }
  const { __metadata__: metadata = {} } = header as { __metadata__?: Readonly<Record<string, string>> };
  return { tensors, metadata, ...(words.size > 0 && { words }) };
}

function parseHeader(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch (error) {
    throw corrupt(where, "its header is not JSON", error);
  }
}

function readTensor(
  data: Uint8Array,
  entry: Partial<HeaderEntry> | null,
  { where, isWords }: { where: string; isWords: boolean },
): HostTensor {
  const { dtype, shape, data_offsets: offsets } = entry ?? {};
  if (dtype !== "F32" && !isWords) throw corrupt(where, `its type is ${dtype}, expected F32`);
  if (!isShape(shape) || !isShape(offsets))
    throw corrupt(where, "its entry in the header has no shape or offsets");
  const [begin, end] = offsets;
  const size = shape.reduce((product, length) => product * length, 1);
  if (end > data.length || end - begin !== size * Float32Array.BYTES_PER_ELEMENT) {
    throw corrupt(where, `shape [${shape.join(", ")}] does not fit bytes ${begin} to ${end}`);
  }
  // A copy, which is aligned. Not slice(): that of a Node Buffer shares memory.
  return { shape, values: new Float32Array(new Uint8Array(data.subarray(begin, end)).buffer) };
}

function isShape<Numbers extends readonly number[]>(value: Numbers | undefined): value is Numbers {
  return Array.isArray(value) && value.every(Number.isSafeInteger);
}

function corrupt(where: string, problem: string, cause?: unknown): BasicError {
  return new BasicError("E_CHECKPOINT_CORRUPT", `${where} cannot be read: ${problem}. ${ADVICE}`, { cause });
}

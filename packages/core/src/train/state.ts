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
/** Of float32 values and int32 words. */
const VALUE_BYTES = 4;
const ADVICE = "Expected a whole safetensors file of float32 tensors: copy or download it again.";

/** A tensor of a file whose values are asked for when its turn comes, once, and dropped after that. */
export interface LazyHostTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** I32: packed values. */
  readonly dtype: "F32" | "I32";
  /** As the backend gives them: a later update may change them. */
  readonly values: () => Promise<Float32Array | Int32Array>;
}

/** Small tensors are gathered up to this size before they are written: far more than a page of a disk. */
const PIECE_BYTES = 4e6;

/**
 * A safetensors file in pieces: its header, then small tensors together and large ones each on its own, which are read when
 * the piece is asked for. Exact bytes, in the order given. One piece and one tensor are in memory.
 * A piece holds until the next one is asked for: its memory is then used again.
 *
 * @throws {@link BasicError} `E_SHAPE` where values do not fill their shape.
 */
export async function* tensorPieces(
  tensors: readonly LazyHostTensor[],
  metadata: TensorFile["metadata"],
  pieceBytes = PIECE_BYTES,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield encodeHeader(tensors, metadata);
  const piece = new Uint8Array(pieceBytes);
  let used = 0;
  for (const tensor of tensors) {
    const bytes = await bytesOf(tensor);
    if (used > 0 && used + bytes.length > pieceBytes) {
      yield piece.subarray(0, used);
      used = 0;
    }
    if (bytes.length >= pieceBytes) {
      yield bytes;
      continue;
    }
    piece.set(bytes, used);
    used += bytes.length;
  }
  if (used > 0) yield piece.subarray(0, used);
}

async function bytesOf({ name, shape, values: read }: LazyHostTensor): Promise<Uint8Array> {
  const values = await read();
  if (values.length !== sizeOf(shape)) {
    throw new BasicError(
      "E_SHAPE",
      `tensorPieces: the tensor "${name}" [${shape.join(", ")}] needs ${sizeOf(shape)} values, got ${values.length}. Correct its shape.`,
    );
  }
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let place = 0;
  for (const part of parts) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}

/** Writes tensors as a safetensors file: exact bytes, in the order of the maps. {@link tensorPieces} needs less memory. */
export function encodeTensors({ tensors, words, metadata }: TensorFile): Uint8Array {
  const vectors = [...(words ?? [])].map(([name, values]) => {
    return { name, shape: [values.length], dtype: "I32", values } as const;
  });
  const floats = [...tensors].map(([name, tensor]) => ({ name, dtype: "F32", ...tensor }) as const);
  const entries = [...floats, ...vectors];
  const header = encodeHeader(entries, metadata);
  const parts = entries.map(
    ({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  );
  return joined(
    [header, ...parts],
    parts.reduce((size, { length }) => size + length, header.length),
  );
}

/** Length, then JSON padded with spaces. */
function encodeHeader(
  tensors: readonly Omit<LazyHostTensor, "values">[],
  metadata: TensorFile["metadata"],
): Uint8Array {
  const header: Record<string, HeaderEntry | TensorFile["metadata"]> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape, dtype } of tensors) {
    const end = offset + VALUE_BYTES * sizeOf(shape);
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(LENGTH_BYTES + headerLength).fill(0x20, LENGTH_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.set(json, LENGTH_BYTES);
  return bytes;
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
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
  if (end > data.length || end - begin !== sizeOf(shape) * VALUE_BYTES) {
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

import { BasicError, formatShape } from "@basic-mllm/core";
import { type GGUFTypedMetadata, gguf } from "@huggingface/gguf";

import type { ByteSource } from "../safetensors.js";
import { checkMetadataSize, type MetadataEntries } from "./metadata-size.js";
import { blockLayouts, byteLength, type GgufType, ggufTypeOf, ggufTypes } from "./tensor-types.js";

/** Where one tensor lies in a GGUF file. */
export interface GgufEntry {
  readonly name: string;
  readonly type: GgufType;
  /** Row-major, as in Hugging Face's files: the reverse of ggml's order. */
  readonly shape: readonly number[];
  /** Number of values. */
  readonly size: number;
  /** First byte, counted from the start of the file. */
  readonly begin: number;
  /** Byte after the last. */
  readonly end: number;
}

/** A checked header. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly entries: ReadonlyMap<string, GgufEntry>;
}

/** Bytes that every file begins with: magic, version and two counts. */
const FIXED_BYTES = 24;
/** The least that a tensor or a field of the metadata takes in the header. */
const LEAST_TENSOR_BYTES = 24;
const LEAST_FIELD_BYTES = 13;
/** ggml's limit. */
const MAX_DIMENSIONS = 4;

/**
 * Reads the header of a GGUF file, little endian, version 2 or 3, and checks that every tensor has a known type and
 * lies in the file, without overlap.
 *
 * @throws `BasicError` `E_WEIGHTS_FORMAT` for anything that is not a whole, consistent file.
 */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  checkStart(source);
  const parsed = await parse(source);
  const [fieldsEnd, infosEnd] = parsed.tensorInfoByteRange;
  if (infosEnd > source.size) {
    throw invalid(source, `its header ends after byte ${source.size}, where the file ends. Was it cut off?`);
  }
  const problem = checkMetadataSize(parsed.fields, fieldsEnd - FIXED_BYTES);
  if (problem !== null) throw invalid(source, problem);
  const metadata = new Map(
    Object.entries(parsed.fields).map(([name, { value }]) => [name, value as unknown]),
  );
  const alignment = readAlignment(source, metadata);
  const start = Math.ceil(infosEnd / alignment) * alignment;
  const entries = parsed.tensorInfos.map((info) => readEntry(source, info, { start, alignment }));
  checkPlaces(source, entries);
  return { metadata, entries: new Map(entries.map((entry) => [entry.name, entry])) };
}

/** What the parser cannot know: how many bytes there are. Without it a few bytes could ask for gigabytes. */
function checkStart(source: ByteSource): void {
  if (source.size < FIXED_BYTES) {
    throw invalid(source, `it has ${source.size} bytes, and a header needs at least ${FIXED_BYTES}.`);
  }
  const bytes = source.read(0, FIXED_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FIXED_BYTES);
  if (view.getUint32(0, false) !== 0x47475546) {
    throw invalid(source, 'it does not begin with "GGUF". Is it a file of another format?');
  }
  const version = view.getUint32(4, true);
  if (version !== 2 && version !== 3) {
    const bigEndian = version >>> 16 !== 0 && (version & 0xffff) === 0;
    throw invalid(
      source,
      bigEndian
        ? "it is big endian, expected little endian. Convert it with llama.cpp's gguf_convert_endian.py."
        : `it has version ${version}, expected 2 or 3. Make it again with a newer converter.`,
    );
  }
  const least =
    view.getBigUint64(8, true) * BigInt(LEAST_TENSOR_BYTES) +
    view.getBigUint64(16, true) * BigInt(LEAST_FIELD_BYTES);
  if (least > BigInt(source.size - FIXED_BYTES)) {
    throw invalid(
      source,
      `it says to hold ${view.getBigUint64(8, true)} tensors and ${view.getBigUint64(16, true)} fields, but has ${source.size} bytes. Was it cut off?`,
    );
  }
}

interface TensorInfo {
  readonly name: string;
  readonly shape: readonly bigint[];
  readonly dtype: number;
  readonly offset: bigint;
}

interface Parsed {
  readonly fields: MetadataEntries;
  readonly tensorInfos: readonly TensorInfo[];
  readonly tensorInfoByteRange: readonly [number, number];
}

/** The parser asks for ranges as if over HTTP; ours are answered from the source. */
async function parse(source: ByteSource): Promise<Parsed> {
  try {
    const parsed = await gguf("http://file/", {
      typedMetadata: true,
      fetch: (_, init) => Promise.resolve(rangeOf(source, new Headers(init?.headers).get("Range") ?? "")),
    });
    const {
      version: _,
      tensor_count: __,
      kv_count: ___,
      ...fields
    } = parsed.typedMetadata as GGUFTypedMetadata;
    return { ...parsed, fields: fields as unknown as MetadataEntries };
  } catch (error) {
    if (error instanceof BasicError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(source, `its header cannot be read (${reason}). Is it damaged?`, { cause: error });
  }
}

function rangeOf(source: ByteSource, range: string): Response {
  const [first = 0, last = 0] = (/^bytes=(\d+)-(\d+)$/.exec(range) ?? []).slice(1).map(Number);
  if (first >= source.size) {
    throw invalid(
      source,
      `its header goes on after byte ${source.size}, where the file ends. Was it cut off?`,
    );
  }
  // A copy: the parser may not see more of the source's buffer.
  return new Response(source.read(first, Math.min(last + 1, source.size)).slice());
}

function readAlignment(source: ByteSource, metadata: ReadonlyMap<string, unknown>): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  const valid = typeof alignment === "number" && alignment >= 1 && Number.isInteger(Math.log2(alignment));
  if (valid) return alignment;
  throw invalid(source, `\`general.alignment\` must be a power of two, got ${String(alignment)}.`);
}

function readEntry(
  source: ByteSource,
  info: TensorInfo,
  data: { readonly start: number; readonly alignment: number },
): GgufEntry {
  const { name, dtype } = info;
  const type = ggufTypeOf(dtype);
  if (type === undefined) {
    throw new BasicError(
      "E_WEIGHTS_FORMAT",
      `${source.location}: tensor "${name}" has ggml's type ${dtype}, which is not read. Read are: ${ggufTypes.join(", ")}. ` +
        "Use a file with one of these.",
    );
  }
  const shape = [...info.shape].reverse().map(Number);
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (shape.length > MAX_DIMENSIONS || !Number.isSafeInteger(size) || size === 0) {
    throw invalid(source, `tensor "${name}" has the shape ${formatShape(shape)}.`);
  }
  const { values } = blockLayouts[type];
  const row = shape.at(-1) ?? 1;
  if (row % values !== 0) {
    throw invalid(
      source,
      `tensor "${name}" of type ${type} has rows of ${row} values, which are not whole blocks of ${values}.`,
    );
  }
  const offset = Number(info.offset);
  if (offset % data.alignment !== 0) {
    throw invalid(source, `tensor "${name}" begins at byte ${offset} of the data, which is not aligned.`);
  }
  const begin = data.start + offset;
  return { name, type, shape, size, begin, end: begin + byteLength(type, size) };
}

function checkPlaces(source: ByteSource, entries: readonly GgufEntry[]): void {
  const seen = new Set<string>();
  let before: GgufEntry | undefined;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin)) {
    const { name, begin, end } = entry;
    if (seen.has(name)) throw invalid(source, `it has two tensors "${name}".`);
    seen.add(name);
    if (before !== undefined && begin < before.end) {
      throw invalid(source, `tensor "${name}" overlaps tensor "${before.name}".`);
    }
    if (end > source.size) {
      throw invalid(
        source,
        `tensor "${name}" ends at byte ${end}, but the file has ${source.size} bytes. Was it cut off?`,
      );
    }
    before = entry;
  }
}

function invalid(source: ByteSource, problem: string, options?: ErrorOptions): BasicError {
  return new BasicError(
    "E_WEIGHTS_FORMAT",
    `${source.location} is not a valid GGUF file: ${problem}`,
    options,
  );
}

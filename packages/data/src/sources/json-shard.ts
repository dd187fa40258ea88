import { BasicError } from "@basic-mllm/core";

import { parseJson, type Sample, toSample } from "../samples.js";
import { readFrom, readRange, withFile } from "./file-range.js";
import { type RecordRanges, scanRecords } from "./json-ranges.js";
import { INSIDE, type SampleRecord, type SampleShard } from "./sample-source.js";

/** Bytes that are read at once while records are read in order. */
const WINDOW = 4 * 2 ** 20;
/** A record of a conversation is some kilobytes; one beyond this is damage. */
const LARGEST_RECORD = 64 * 2 ** 20;

/**
 * Opens a JSON array or JSON lines.
 *
 * @param label - Name of the file in the ids of records without one; null: their number alone.
 * @throws `BasicError` `E_DATA_FORMAT` as {@link scanRecords}.
 */
export async function openJsonShard(path: string, label: string | null = null): Promise<SampleShard> {
  const ranges = await scanRecords(path);
  const size = ranges.starts.length;
  const rangeOf = (index: number): { start: number; length: number } => {
    const start = ranges.starts[index] as number;
    return { start, length: (ranges.ends[index] as number) - start };
  };
  return {
    size,
    images: null,
    read: async (index) => {
      const { start, length } = rangeOf(index);
      checkLength(length, place(ranges, index, path));
      return parse(await readRange(path, start, length), { ranges, index, path, label });
    },
    records: () => readAll({ path, label, ranges }),
  };
}

interface Records {
  readonly ranges: RecordRanges;
  readonly path: string;
  readonly label: string | null;
}

interface Place extends Records {
  readonly index: number;
}

async function* readAll({ path, label, ranges }: Records): AsyncGenerator<SampleRecord> {
  const size = ranges.starts.length;
  for (let first = 0; first < size; ) {
    const start = ranges.starts[first] as number;
    let last = first;
    while (last + 1 < size && (ranges.ends[last + 1] as number) - start <= WINDOW) last++;
    const length = Math.min((ranges.ends[last] as number) - start, LARGEST_RECORD);
    const bytes = await withFile(path, (handle) => readFrom(handle, { path, start, length }));
    for (let index = first; index <= last; index++) {
      yield orError(() => {
        const from = (ranges.starts[index] as number) - start;
        const to = (ranges.ends[index] as number) - start;
        checkLength(to - from, place(ranges, index, path));
        return parse(bytes.subarray(from, to), { ranges, index, path, label });
      });
    }
    first = last + 1;
  }
}

function parse(bytes: Buffer, { ranges, index, path, label }: Place): Sample {
  const record = parseJson(bytes.toString("utf8").trimEnd(), place(ranges, index, path));
  return toSample(record, {
    index,
    source: path,
    ...(label !== null && { id: `${label}${INSIDE}${index}` }),
  });
}

function place({ kind, lines }: RecordRanges, index: number, path: string): string {
  return kind === "lines" ? `${path}, line ${lines[index]}` : `${path}, record ${index}`;
}

function checkLength(length: number, where: string): void {
  if (length <= LARGEST_RECORD) return;
  throw new BasicError(
    "E_DATA_FORMAT",
    `${where}: expected a record of at most ${LARGEST_RECORD} bytes, got ${length}. Repair the file: a quote or a line end is missing.`,
  );
}

/** The sample, or the error that says why it is none. */
export function orError(read: () => Sample): SampleRecord {
  try {
    return read();
  } catch (error) {
    if (error instanceof BasicError) return error;
    throw error;
  }
}

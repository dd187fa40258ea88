import type { AttentionAttrs, CachedAttentionAttrs } from "@basic-mllm/core";

/** Rows of a sample: of its queries, and of the keys and values that those see. */
export interface SampleRows {
  readonly qStart: number;
  readonly queries: number;
  readonly kStart: number;
  readonly keys: number;
}

/** The samples of packed rows. */
export function packedSamples({
  qOffsets,
  kvOffsets,
}: Pick<AttentionAttrs, "qOffsets" | "kvOffsets">): readonly SampleRows[] {
  return Array.from({ length: qOffsets.length - 1 }, (_, b) => {
    const [qStart, kStart] = [qOffsets[b] as number, kvOffsets[b] as number];
    const [qEnd, kEnd] = [qOffsets[b + 1] as number, kvOffsets[b + 1] as number];
    return { qStart, queries: qEnd - qStart, kStart, keys: kEnd - kStart };
  });
}

/** Samples whose keys lie in buffers with `room` rows for each. */
export function cachedSamples(
  { offsets, starts }: Pick<CachedAttentionAttrs, "offsets" | "starts">,
  room: number,
): readonly SampleRows[] {
  return Array.from(starts, (start, s) => {
    const qStart = offsets[s] as number;
    const queries = (offsets[s + 1] as number) - qStart;
    return { qStart, queries, kStart: s * room, keys: start + queries };
  });
}

/** The row of the buffers that each new row goes to. */
export function bufferRows(samples: readonly SampleRows[]): Int32Array {
  return Int32Array.from(
    samples.flatMap(({ queries, kStart, keys }) =>
      Array.from({ length: queries }, (_, row) => kStart + keys - queries + row),
    ),
  );
}

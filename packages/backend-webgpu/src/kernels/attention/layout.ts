import type { SampleRows } from "@basic-mllm/core/device";
import { TILE } from "./tiles.wgsl.js";

/** Tiles as the shaders read them, six numbers each. */
export interface Tiles {
  readonly entries: Int32Array;
  readonly count: number;
}

/** Tiles of all query rows, each counted once for every query head of a key-value head. */
export function queryTiles(samples: readonly SampleRows[], group: number): Tiles {
  return tilesOf(samples.map((sample) => ({ sample, length: sample.queries * group })));
}

/**
 * Tiles of all key rows.
 *
 * @param firstRow - First query row, counted in its sample, that matters to the keys `from .. to` of the packed rows.
 */
export function keyTiles(
  samples: readonly SampleRows[],
  firstRow: (sample: SampleRows, from: number, to: number) => number = () => 0,
): Tiles {
  return tilesOf(
    samples.map((sample) => ({ sample, length: sample.keys })),
    (sample, first) => {
      const from = sample.kStart + first;
      return firstRow(sample, from, Math.min(from + TILE, sample.kStart + sample.keys));
    },
  );
}

/** The first row of a sample that counts for any of some keys: `receiveFrom` as in core's `attentionReceived`. */
export function firstCounting(receiveFrom: Int32Array) {
  return ({ qStart, queries }: SampleRows, from: number, to: number): number => {
    const first = receiveFrom
      .subarray(from, to)
      .reduce((least, row) => Math.min(least, row), qStart + queries);
    return Math.max(0, first - qStart);
  };
}

function tilesOf(
  rows: readonly { readonly sample: SampleRows; readonly length: number }[],
  firstRow: (sample: SampleRows, first: number) => number = () => 0,
): Tiles {
  const entries = rows.flatMap(({ sample, length }) =>
    Array.from({ length: Math.ceil(length / TILE) }, (_, tile) => {
      const first = tile * TILE;
      const { qStart, queries, kStart, keys } = sample;
      return [first, qStart, queries, kStart, keys, firstRow(sample, first)];
    }),
  );
  return { entries: Int32Array.from(entries.flat()), count: entries.length };
}

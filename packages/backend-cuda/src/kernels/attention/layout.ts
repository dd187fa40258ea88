import type { SampleRows } from "@basic-mllm/core/device";
/** Tiles as the kernels read them, six numbers each: see `Tile` of tiles.cuh. */
export interface Tiles {
  readonly entries: Int32Array;
  readonly count: number;
}

/**
 * Tiles of all query rows, each counted once for every query head of a key-value head. Those of a sample's last rows, which see
 * the most keys, come first.
 */
export function queryTiles(samples: readonly SampleRows[], group: number, tileRows: number): Tiles {
  return remembered(`queries ${group} ${tileRows}`, samples, () => {
    const pairs = samples.map((sample) => ({ sample, length: sample.queries * group }));
    return tilesOf(pairs, { tileRows, firstRow: () => 0, order: (tiles) => tiles.reverse() });
  });
}

/**
 * Tiles of all key rows.
 *
 * @param firstRow - First query row, counted in its sample, that matters to the keys `from .. to` of the packed rows.
 */
export function keyTiles(
  samples: readonly SampleRows[],
  tileRows: number,
  firstRow?: (sample: SampleRows, from: number, to: number) => number,
): Tiles {
  const keys = samples.map((sample) => ({ sample, length: sample.keys }));
  const order = (tiles: number[][]) => tiles;
  if (firstRow === undefined) {
    return remembered(`keys ${tileRows}`, samples, () =>
      tilesOf(keys, { tileRows, firstRow: () => 0, order }),
    );
  }
  return tilesOf(keys, {
    tileRows,
    firstRow: (sample, first) => {
      const from = sample.kStart + first;
      return firstRow(sample, from, Math.min(from + tileRows, sample.kStart + sample.keys));
    },
    order,
  });
}

/** Tables that are kept: the blocks of a model ask for the same ones again. */
const MOST_TABLES = 64;
const tables = new Map<string, Tiles>();

/** The table of some samples, made once; the one that was made first goes first. */
function remembered(kind: string, samples: readonly SampleRows[], make: () => Tiles): Tiles {
  const rows = samples.map(({ qStart, queries, kStart, keys }) => `${qStart},${queries},${kStart},${keys}`);
  const key = `${kind} ${rows.join(" ")}`;
  const known = tables.get(key);
  if (known !== undefined) return known;
  const made = make();
  tables.set(key, made);
  for (const oldest of tables.keys()) {
    if (tables.size <= MOST_TABLES) break;
    tables.delete(oldest);
  }
  return made;
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

interface Tiling {
  readonly tileRows: number;
  readonly firstRow: (sample: SampleRows, first: number) => number;
  readonly order: (tilesOfSample: number[][]) => number[][];
}

function tilesOf(
  rows: readonly { readonly sample: SampleRows; readonly length: number }[],
  { tileRows, firstRow, order }: Tiling,
): Tiles {
  const entries = rows.flatMap(({ sample, length }) =>
    order(
      Array.from({ length: Math.ceil(length / tileRows) }, (_, tile) => {
        const first = tile * tileRows;
        const { qStart, queries, kStart, keys } = sample;
        return [first, qStart, queries, kStart, keys, firstRow(sample, first)];
      }),
    ),
  );
  return { entries: Int32Array.from(entries.flat()), count: entries.length };
}

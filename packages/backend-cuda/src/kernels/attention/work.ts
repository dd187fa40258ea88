import type { Pointer } from "../../arguments.js";

/** Numbers of a tile in the table: see layout.ts. */
const ENTRY = 6;

/** How scores are made, as far as it decides what tiles go through. */
export interface TileScores {
  readonly tiles: Pointer;
  readonly group: number;
  readonly causal: number;
  readonly window: number;
}

/** What the tiles of one key-value head go through. */
export interface Coverage {
  /** Pairs of a query row, of each head of the group, and a key row that see each other. */
  readonly pairs: number;
  /** Rows of the other side that tiles read, added up over the tiles. */
  readonly rows: number;
}

/** Of tiles of query rows: `rows` are keys. */
export function overQueries(scores: TileScores, tileRows: number): Coverage {
  let [pairs, rows] = [0, 0];
  for (const tile of tilesOf(scores.tiles)) {
    const last = Math.min(tile.first + tileRows, tile.queries * scores.group);
    let [from, to] = [tile.keys, 0];
    for (let pair = tile.first; pair < last; pair++) {
      const [first, end] = visibleKeys(tile, scores, Math.floor(pair / scores.group));
      pairs += Math.max(0, end - first);
      [from, to] = [Math.min(from, first), Math.max(to, end)];
    }
    rows += Math.max(0, to - from);
  }
  return { pairs, rows };
}

/** Of tiles of key rows: `rows` are query rows. */
export function overKeys(scores: TileScores, tileRows: number): Coverage {
  let [pairs, rows] = [0, 0];
  for (const tile of tilesOf(scores.tiles)) {
    const last = Math.min(tile.first + tileRows, tile.keys);
    for (let query = tile.firstQuery; query < tile.queries; query++) {
      const [first, end] = visibleKeys(tile, scores, query);
      const seen = Math.min(end, last) - Math.max(first, tile.first);
      if (seen <= 0) continue;
      pairs += seen * scores.group;
      rows++;
    }
  }
  return { pairs, rows };
}

interface Tile {
  readonly first: number;
  readonly queries: number;
  readonly keys: number;
  readonly firstQuery: number;
}

function* tilesOf(tiles: Pointer): Generator<Tile> {
  if (!(tiles instanceof Int32Array)) throw new TypeError("Tiles are made by queryTiles() or keyTiles().");
  for (let at = 0; at < tiles.length; at += ENTRY) {
    const [first = 0, , queries = 0, , keys = 0, firstQuery = 0] = tiles.subarray(at, at + ENTRY);
    yield { first, queries, keys, firstQuery };
  }
}

/** As `visible_keys` of tiles.cuh. */
function visibleKeys(
  { queries, keys }: Tile,
  { causal, window }: TileScores,
  query: number,
): readonly [from: number, to: number] {
  if (causal === 0) return [0, keys];
  const position = keys - queries + query;
  return [window === 0 ? 0 : Math.max(0, position - window + 1), Math.min(keys, position + 1)];
}

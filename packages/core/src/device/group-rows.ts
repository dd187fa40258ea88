/** Which rows go where: `sources[starts[i] .. starts[i + 1]]` are those that point to `targets[i]`. */
export interface RowGroups {
  /** Rows that something points to, ascending. */
  readonly targets: Int32Array;
  readonly starts: Int32Array;
  /** Numbers of the rows that point there, ascending in each group. */
  readonly sources: Int32Array;
}

/** Groups row numbers by where they point; negative ones are left out. */
export function groupRows(rows: Int32Array): RowGroups {
  const sources = Int32Array.from(rows.keys())
    .filter((i) => (rows[i] as number) >= 0)
    .sort((a, b) => (rows[a] as number) - (rows[b] as number) || a - b);
  const starts = Array.from(sources.keys()).filter(
    (at) => at === 0 || rows[sources[at] as number] !== rows[sources[at - 1] as number],
  );
  return {
    targets: Int32Array.from(starts, (at) => rows[sources[at] as number] as number),
    starts: Int32Array.of(...starts, sources.length),
    sources,
  };
}

/** The groups whose targets are from `first` to before `end`; their starts stay those in `sources`. */
export function groupsWithin({ targets, starts, sources }: RowGroups, first: number, end: number): RowGroups {
  const [from, to] = [countBelow(targets, first), countBelow(targets, end)];
  return { targets: targets.slice(from, to), starts: starts.slice(from, to + 1), sources };
}

function countBelow(sorted: Int32Array, limit: number): number {
  const at = sorted.findIndex((value) => value >= limit);
  return at < 0 ? sorted.length : at;
}

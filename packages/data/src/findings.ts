/** Cases of one problem: how many there are, and the first of them. */
export interface Finding {
  readonly count: number;
  /** In order of appearance, at most 20. */
  readonly examples: readonly string[];
}

/** Cases that a {@link Finding} names. */
export const FIRST_CASES = 20;

/** A {@link Finding} that grows. */
export interface FindingCounter {
  add(example: string): void;
  result(): Finding;
}

/** Counts cases and keeps the first ones, so that a data set of any size needs no more memory. */
export function createFinding(): FindingCounter {
  const examples: string[] = [];
  let count = 0;
  return {
    add: (example) => {
      count++;
      if (examples.length < FIRST_CASES) examples.push(example);
    },
    result: () => ({ count, examples: [...examples] }),
  };
}

/** The shortest, the middle and the longest of some lengths; zeros where there are none. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Lengths as a histogram: one entry for each different length. */
export function createSpread(): { add(length: number): void; result(): Spread } {
  const counts = new Map<number, number>();
  let total = 0;
  return {
    add: (length) => {
      counts.set(length, (counts.get(length) ?? 0) + 1);
      total++;
    },
    result: () => {
      const sorted = [...counts].toSorted(([a], [b]) => a - b);
      let before = 0;
      const median = sorted.find(([, count]) => {
        before += count;
        return before > total >> 1;
      });
      return { min: sorted[0]?.[0] ?? 0, median: median?.[0] ?? 0, max: sorted.at(-1)?.[0] ?? 0 };
    },
  };
}

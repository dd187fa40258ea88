/** Number of single-character insertions, deletions and replacements between two names (Levenshtein). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, left] of [...a].entries()) {
    const row = [i + 1];
    for (const [j, right] of [...b].entries()) {
      const replace = (previous[j] as number) + (left === right ? 0 : 1);
      row.push(Math.min(replace, (previous[j + 1] as number) + 1, (row[j] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}

/** The candidate that a mistyped name probably means; undefined where none is close. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const given = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length * 0.4)) + 1;
  for (const candidate of candidates) {
    const other = candidate.toLowerCase();
    const contained = given.length >= 3 && (other.includes(given) || given.includes(other));
    const edits = editDistance(given, other);
    // A part of a name comes after a name with a typing error or two.
    const distance = contained ? Math.min(2.5, edits) : edits;
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean "x"?`, or nothing where no candidate is close. For the end of an error text. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const best = nearestName(name, candidates);
  return best === undefined ? "" : ` Did you mean "${best}"?`;
}

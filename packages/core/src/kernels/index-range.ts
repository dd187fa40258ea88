import { BasicError } from "../errors.js";

/** One host index array and the rows that it may name. */
export interface IndexCheck {
  /** Public function name, printed first in the error. */
  readonly where: string;
  /** What is printed before the position, for example "`ids`". */
  readonly name: string;
  readonly values: Int32Array;
  /** Smallest index allowed; left out where negative indices mean something else. */
  readonly minimum?: number;
  /** Number of rows: indices stay below it. */
  readonly limit: number;
  /** What has `limit` rows. */
  readonly target: string;
}

/**
 * Checks every index on the host, before any device work.
 *
 * @throws {@link BasicError} `E_INDEX_RANGE` at the first index that is out of range.
 */
export function checkIndices({ where, name, values, minimum, limit, target }: IndexCheck): void {
  const at = values.findIndex((value) => value < (minimum ?? value) || value >= limit);
  if (at < 0) return;
  const allowed = limit > 0 ? `use 0 to ${limit - 1}` : "no index is valid";
  throw new BasicError(
    "E_INDEX_RANGE",
    `${where}: ${name}[${at}] is ${values[at]}, but ${target} has ${limit} rows: ${allowed}.`,
  );
}

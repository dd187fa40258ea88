/** A defect that is put into a kernel's source to see whether the tests notice. */
export interface Mutation {
  /** What becomes wrong. */
  readonly title: string;
  /** Text of the `.cu` or `.cuh` file. */
  readonly text: string;
  /** Occurs once in the text. */
  readonly find: string;
  readonly replace: string;
  /** Names of contracts whose cases reach it. */
  readonly contracts: readonly string[];
  /** Of the backend; with `bf16` inputs of the cases are kept in it, too. Default `f32`. */
  readonly precision?: "tf32" | "bf16";
}

/** The text with the defect. */
export function mutated({ title, text, find, replace }: Mutation): string {
  const parts = text.split(find);
  if (parts.length === 2) return parts.join(replace);
  throw new Error(
    `The mutation "${title}" replaces "${find}", which occurs ${parts.length - 1} times, not once.`,
  );
}

type Change = readonly [title: string, find: string, replace: string];

/** Several defects of one file. */
export function mutationsOf(
  text: string,
  contracts: readonly string[],
  changes: readonly Change[],
): readonly Mutation[] {
  return changes.map(([title, find, replace]) => ({ title, text, find, replace, contracts }));
}

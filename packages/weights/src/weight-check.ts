import { BasicError, formatShape } from "@basic-mllm/core";

/** A tensor that a model needs. */
export interface WantedTensor {
  /** Names that it may have, the usual one first. */
  readonly names: readonly string[];
  readonly shape: readonly number[];
  /** The field of config.json that each dimension follows from, see {@link fieldsOf}. */
  readonly fields: readonly string[];
}

/** A tensor that a checkpoint holds. */
export interface FoundTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Its file, without folders. */
  readonly file: string;
}

/** What {@link checkTensors} compares. */
export interface WeightCheck {
  /** The folder, for the message. */
  readonly location: string;
  readonly wanted: readonly WantedTensor[];
  readonly found: ReadonlyMap<string, FoundTensor>;
  /** Whether a tensor may be there without a place in the model. */
  readonly mayBeLeft: (name: string) => boolean;
  /** The file that the index names for a tensor, where there is an index. */
  readonly indexed: ReadonlyMap<string, string>;
}

/** Entries of one kind that a message lists. */
const LISTED = 10;

/**
 * Compares what a model needs with what a checkpoint holds, before anything is read.
 *
 * @throws `BasicError` that lists everything that is wrong at once: `E_WEIGHTS_MISSING` where tensors are absent, else
 *   `E_WEIGHTS_FORMAT` for other shapes and for tensors that the model has no place for, without which it would compute
 *   something else than the checkpoint's.
 */
export function checkTensors({ location, wanted, found, mayBeLeft, indexed }: WeightCheck): void {
  const matched = wanted.map((want) => ({
    want,
    have: want.names.map((name) => found.get(name)).find((tensor) => tensor !== undefined),
  }));
  const missing = matched.flatMap(({ want, have }) => (have === undefined ? [want] : []));
  const used = new Set(matched.map(({ have }) => have?.name));
  const other = matched.flatMap(({ want, have }) =>
    have === undefined || have.shape.join() === want.shape.join() ? [] : [otherShape(have, want)],
  );
  const left = [...found.keys()].filter((name) => !used.has(name) && !mayBeLeft(name));
  if (missing.length + other.length + left.length === 0) return;
  const lines = [
    `${location} does not hold the model of its config.json.`,
    ...section(
      missing.map(describeMissing(indexed, [...found.keys()])),
      `of ${wanted.length} tensors`,
      "missing",
    ),
    ...section(other, `of ${wanted.length} tensors`, "of another shape"),
    ...section(left, `of ${found.size} stored tensors`, "without a place in the model"),
    foundLine(found),
    "Is config.json of another model, or a file of another checkpoint? Download the folder again, or correct the field.",
  ];
  throw new BasicError(missing.length > 0 ? "E_WEIGHTS_MISSING" : "E_WEIGHTS_FORMAT", lines.join("\n"));
}

function section(entries: readonly string[], of: string, problem: string): readonly string[] {
  if (entries.length === 0) return [];
  const more = entries.length > LISTED ? [`  ... and ${entries.length - LISTED} more`] : [];
  const verb = entries.length === 1 ? "is" : "are";
  return [
    `${entries.length} ${of} ${verb} ${problem}:`,
    ...entries.slice(0, LISTED).map((entry) => `  ${entry}`),
    ...more,
  ];
}

function describeMissing(indexed: ReadonlyMap<string, string>, found: readonly string[]) {
  const places = new Set(found.map(placeOf));
  return ({ names, shape }: WantedTensor): string => {
    // Under the name that it would have beside its neighbours.
    const name = names.find((candidate) => places.has(placeOf(candidate))) ?? names[0] ?? "";
    const file = names.map((candidate) => indexed.get(candidate)).find((named) => named !== undefined);
    const place = file === undefined ? "" : `, which the index says is in ${file}`;
    return `${name} ${formatShape(shape)}${place}`;
  };
}

/** `model.mm_projector` of `model.mm_projector.0.weight`. */
function placeOf(name: string): string {
  return name.split(".", 2).join(".");
}

function otherShape({ name, shape, file }: FoundTensor, { shape: asked, fields }: WantedTensor): string {
  const text = `${name} has shape ${formatShape(shape)} in ${file}, but config.json asks for ${formatShape(asked)}`;
  if (fields.length < asked.length || shape.length !== asked.length) return text;
  const causes = asked.flatMap((size, axis) =>
    size === shape[axis] ? [] : [`\`${fields[axis]}\` is ${size}`],
  );
  return `${text}: ${causes.join(", ")}`;
}

function foundLine(found: ReadonlyMap<string, FoundTensor>): string {
  const counts = new Map<string, number>();
  for (const { file } of found.values()) counts.set(file, (counts.get(file) ?? 0) + 1);
  if (counts.size === 0) return "Found: no tensors.";
  const files = [...counts].map(([file, count]) => `${count} tensors in ${file}`);
  const more = files.length > LISTED ? `, and ${files.length - LISTED} more files` : "";
  const names = [...found.keys()];
  const examples = `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""}`;
  return `Found: ${files.slice(0, LISTED).join(", ")}${more} (${examples}).`;
}

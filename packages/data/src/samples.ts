import { BasicError } from "@basic-mllm/core";

/** The placeholder of an image in the text of a conversation. */
export const IMAGE_PLACEHOLDER = "<image>";

/** One utterance of a conversation. */
export interface Turn {
  readonly from: "human" | "gpt";
  readonly value: string;
}

/** A record of a data set. */
export interface Sample {
  readonly id: string;
  /** Names of images, relative to the image root; empty for text only. */
  readonly images: readonly string[];
  readonly conversations: readonly Turn[];
  /** Anything the record carries besides. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The conversation alone: what a model reads that never sees a picture. */
export function withoutPictures(sample: Sample): Sample {
  const conversations = sample.conversations.map(({ from, value }) => ({
    from,
    value: value.replaceAll(IMAGE_PLACEHOLDER, "").trim(),
  }));
  return { ...sample, images: [], conversations };
}

/**
 * Parses a LLaVA data set: a JSON array, or one JSON record a line.
 *
 * @param text - Contents of the file.
 * @param source - Name of the file, for messages.
 * @throws `BasicError` `E_DATA_FORMAT` naming the record; `E_DATA_EMPTY` when there is none.
 */
export function parseSamples(text: string, source: string): readonly Sample[] {
  const { samples, malformed } = parseRecords(text, source);
  if (malformed[0] !== undefined) throw malformed[0];
  return samples;
}

/** The records of a file: those that are samples, and what is wrong with each of the others. */
export interface ParsedSamples {
  readonly samples: readonly Sample[];
  readonly malformed: readonly BasicError[];
}

/**
 * Parses a LLaVA data set and goes on after a malformed record.
 *
 * @throws `BasicError` `E_DATA_EMPTY` when there is no record; `E_DATA_FORMAT` where the array itself is no JSON.
 */
export function parseRecords(text: string, source: string): ParsedSamples {
  const records = splitRecords(text, source);
  if (records.length === 0) {
    throw new BasicError(
      "E_DATA_EMPTY",
      `${source}: expected at least one record, got none. ` +
        'Give a JSON array of {"id", "image", "conversations"}, or one such record a line.',
    );
  }
  const samples: Sample[] = [];
  const malformed: BasicError[] = [];
  for (const [index, record] of records.entries()) {
    try {
      samples.push(toSample(record(), { index, source }));
    } catch (error) {
      if (!(error instanceof BasicError)) throw error;
      malformed.push(error);
    }
  }
  return { samples, malformed };
}

/** Each record, parsed when it is called: one line of JSON lines may be damaged. */
function splitRecords(text: string, source: string): readonly (() => unknown)[] {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  if (trimmed.startsWith("[")) {
    const values = parseJson(trimmed, source) as readonly unknown[];
    return values.map((value) => () => value);
  }
  return trimmed.split(/\r?\n/).flatMap((line, index) => {
    return line.trim() === "" ? [] : [() => parseJson(line, `${source}, line ${index + 1}`)];
  });
}

/** @throws `BasicError` `E_DATA_FORMAT` saying where the text is no JSON. */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BasicError("E_DATA_FORMAT", `${where}: not valid JSON: ${reason}. Repair the file.`, { cause });
  }
}

/** Where a record stands, and what the file gives beside it. */
export interface RecordPlace {
  /** Number of the record in its file. */
  readonly index: number;
  /** Name of the file, for messages. */
  readonly source: string;
  /** Id of a record without one. Default: its number. */
  readonly id?: string;
  /** Names of the images that lie beside the record in an archive: they replace its own. */
  readonly images?: readonly string[];
}

/**
 * Makes a sample of a record: LLaVA's `conversations`, The Cauldron's `texts` (question and answer pairs that show all
 * images first), or a `caption`.
 *
 * @throws `BasicError` `E_DATA_FORMAT` naming the field.
 */
export function toSample(record: unknown, place: RecordPlace): Sample {
  const { index, source } = place;
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    throw formatError(`${source}, record ${index}`, "an object", record);
  }
  const fields = record as Readonly<Record<string, unknown>>;
  const given = fields["id"];
  const id = typeof given === "string" || typeof given === "number" ? `${given}` : (place.id ?? `${index}`);
  const where = `${source}, record ${index} (id "${id}")`;
  const metadata = fields["metadata"];
  const images = place.images ?? readImages(fields["image"] ?? fields["images"], where);
  return {
    id,
    images,
    conversations: readConversations(fields, images.length, where),
    metadata: typeof metadata === "object" && metadata !== null ? (metadata as Sample["metadata"]) : {},
  };
}

function readImages(value: unknown, where: string): readonly string[] {
  if (value === undefined || value === null) return [];
  const list = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  for (const item of list) {
    if (typeof item !== "string" || item === "") {
      throw formatError(`${where}, image`, "a file name or a list of file names", value);
    }
  }
  return list as readonly string[];
}

function readConversations(
  fields: Readonly<Record<string, unknown>>,
  images: number,
  where: string,
): readonly Turn[] {
  const { conversations, texts, caption, text } = fields;
  if (conversations !== undefined && conversations !== null) return readTurns(conversations, where);
  if (Array.isArray(texts) && texts.length > 0) return readPairs(texts, images, where);
  const said = caption ?? text;
  if (typeof said !== "string") return readTurns(conversations, where);
  return [
    { from: "human", value: placeholders(images).trimEnd() },
    { from: "gpt", value: said },
  ];
}

/** Pairs of question and answer; images that no question places stand before the first one. */
function readPairs(texts: readonly unknown[], images: number, where: string): readonly Turn[] {
  const turns = texts.flatMap((pair: unknown, index): Turn[] => {
    const { user, assistant } = (pair ?? {}) as { readonly user?: unknown; readonly assistant?: unknown };
    if (typeof user !== "string") throw formatError(`${where}, texts[${index}].user`, "a text", user);
    if (typeof assistant !== "string") {
      throw formatError(`${where}, texts[${index}].assistant`, "a text", assistant);
    }
    return [
      { from: "human", value: user },
      { from: "gpt", value: assistant },
    ];
  });
  const [first, ...rest] = turns;
  if (first === undefined || turns.some(({ value }) => value.includes(IMAGE_PLACEHOLDER))) return turns;
  return [{ ...first, value: placeholders(images) + first.value }, ...rest];
}

function placeholders(count: number): string {
  return `${IMAGE_PLACEHOLDER}\n`.repeat(count);
}

function readTurns(value: unknown, where: string): readonly Turn[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw formatError(`${where}, conversations`, 'a list of {"from", "value"}', value);
  }
  return value.map((turn: unknown, index) => readTurn(turn, index, where));
}

function readTurn(turn: unknown, index: number, where: string): Turn {
  const { from, value } = (turn ?? {}) as { readonly from?: unknown; readonly value?: unknown };
  const expected = index % 2 === 0 ? "human" : "gpt";
  if (from !== expected) {
    const place = `${where}, conversations[${index}].from`;
    throw new TurnOrderError(
      "E_DATA_FORMAT",
      formatText(place, `"${expected}" (human and gpt take turns)`, from),
    );
  }
  if (typeof value !== "string") {
    throw formatError(`${where}, conversations[${index}].value`, "a text", value);
  }
  return { from: expected, value };
}

/** A turn of somebody else than human and gpt, or out of their order. */
export class TurnOrderError extends BasicError {}

function formatError(where: string, expected: string, value: unknown): BasicError {
  return new BasicError("E_DATA_FORMAT", formatText(where, expected, value));
}

function formatText(where: string, expected: string, value: unknown): string {
  const given = value === undefined ? "nothing" : JSON.stringify(value, plainNumber).slice(0, 80);
  return `${where}: expected ${expected}, got ${given}. Correct the record.`;
}

/** Tables hold numbers of 64 bits, which JSON has no form for. */
function plainNumber(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

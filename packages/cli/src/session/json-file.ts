import { readFile } from "node:fs/promises";
import { BasicError } from "@basic-mllm/core";
import { writeAtomically } from "@basic-mllm/weights";

/** Writes a text file: the whole file or nothing. */
export async function writeText(path: string, text: string): Promise<void> {
  await writeAtomically(path, [new TextEncoder().encode(text)]);
}

/** Writes a value as indented JSON: the whole file or nothing. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeText(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * The value of a JSON file that a run wrote.
 *
 * @param advice - What to do where it is damaged.
 * @throws `BasicError` `E_DATA_FORMAT` where it is not whole.
 */
export async function readRunJson(path: string, advice: string): Promise<unknown> {
  const text = await readFile(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new BasicError(
      "E_DATA_FORMAT",
      `${path} is damaged: expected whole JSON, got ${text.length} characters that are none (${reason}). ${advice}`,
      { cause },
    );
  }
}

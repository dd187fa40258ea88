import { readFileSync } from "node:fs";

import { BasicError } from "@basic-mllm/core";

import { writeText } from "./files.js";

/**
 * Reads a JSON object.
 *
 * @throws `BasicError` `E_WEIGHTS_MISSING` when there is no such file, `E_CONFIG` when it is not JSON.
 */
export function readJson(path: string): object {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new BasicError("E_WEIGHTS_MISSING", `${path} cannot be read. Check the path.`, { cause: error });
  }
  return parseJson(text, path);
}

/** Writes a value as indented JSON: the whole file or nothing. @throws `BasicError` `E_DISK_FULL`. */
export async function writeJson(path: string, value: object): Promise<void> {
  await writeText(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** @throws `BasicError` `E_CONFIG` for anything but a JSON object. */
export function parseJson(text: string, path: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    throw new BasicError("E_CONFIG", `${path} is not JSON. Download it again.`, { cause: error });
  }
  throw new BasicError("E_CONFIG", `${path} must hold a JSON object.`);
}

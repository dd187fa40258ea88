import { readFile } from "node:fs/promises";
import { BasicError } from "@basic-mllm/core";

/**
 * The text of a file that the user names.
 *
 * @throws `BasicError` `E_DATA_FORMAT` where it cannot be read.
 */
export async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new BasicError(
      "E_DATA_FORMAT",
      `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}. Check the path.`,
      { cause },
    );
  }
}

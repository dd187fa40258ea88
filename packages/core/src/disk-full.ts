import { BasicError } from "./errors.js";

/** What systems call a disk without space: of the device, or of the user's share of it. */
const CODES: readonly unknown[] = ["ENOSPC", "EDQUOT"];

/**
 * Does work that writes files, and explains a full disk. Any other error goes through as it is.
 *
 * @param message - What could not be written, what is left, and how to go on.
 * @throws {@link BasicError} `E_DISK_FULL`.
 */
export async function explainDiskFull<T>(message: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!CODES.includes((error as { code?: unknown } | null)?.code)) throw error;
    throw new BasicError("E_DISK_FULL", message, { cause: error });
  }
}

import { join } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { byHolder, type Holder, tryLock } from "./file-lock.js";

/**
 * Takes the lock of a run folder.
 *
 * @returns The release.
 * @throws `BasicError` `E_RUN_LOCKED` where another process uses the folder.
 */
export async function takeLock(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, "lock");
  const lock = await tryLock(path);
  if (lock.release !== null) return lock.release;
  throw lockedBy(lock.holder, folder, path);
}

function lockedBy(holder: Holder | null, folder: string, path: string): BasicError {
  return new BasicError(
    "E_RUN_LOCKED",
    `The run folder ${folder} is in use ${byHolder(holder)}. Wait for it, choose another folder, ` +
      `or, if that process is gone, remove ${path}.`,
  );
}

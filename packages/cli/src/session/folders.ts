import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { BasicError, RECIPE_FILE } from "@basic-mllm/core";

/** `runs/<recipe>-<seed>`, below the current folder. */
export function defaultRunFolder(recipe: { readonly name: string; readonly seed: number }): string {
  return join("runs", `${recipe.name}-${recipe.seed}`);
}

/**
 * Whether a run may use a folder, before anything is read for it.
 *
 * @throws `BasicError` `E_USAGE` where it is a file, or holds a run that is not to be resumed.
 */
export function checkRunFolder(out: string, resume: boolean): void {
  if (existsSync(out) && !statSync(out).isDirectory()) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm train: --out must be a folder, got the file ${out}. Give another path.`,
    );
  }
  // A folder that another process uses has its own message, from the lock.
  if (resume || existsSync(join(out, "lock")) || !existsSync(join(out, RECIPE_FILE))) return;
  throw new BasicError(
    "E_USAGE",
    `There is a run in ${out} already. Continue it with --resume, choose another folder with --out, or remove it.`,
  );
}

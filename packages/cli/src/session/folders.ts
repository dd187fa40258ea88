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
 * @throws `BasicError` `E_USAGE` where it is a file, or holds a run that is not to be resumed; `E_CHECKPOINT_MISSING` where
 * there is no run to resume.
 */
export function checkRunFolder(out: string, resume: boolean): void {
  if (existsSync(out) && !statSync(out).isDirectory()) {
    throw new BasicError(
      "E_USAGE",
      `basic-mllm train: --out must be a folder, got the file ${out}. Give another path.`,
    );
  }
  // A folder that another process uses has its own message, from the lock.
  if (existsSync(join(out, "lock")) || existsSync(join(out, RECIPE_FILE)) === resume) return;
  if (resume) {
    throw new BasicError(
      "E_CHECKPOINT_MISSING",
      `There is no run in ${out} to resume. Start one without --resume, or name its folder with --out.`,
    );
  }
  throw new BasicError(
    "E_USAGE",
    `There is a run in ${out} already. Continue it with --resume, choose another folder with --out, or remove it.`,
  );
}

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { BasicError, RECIPE_FILE } from "@basic-mllm/core";

import { shellWord } from "../shell.js";
import { EVALUATION_FILE } from "./blind-baseline.js";

/** `runs/<recipe>-<seed>`, below the current folder. */
export function defaultRunFolder(recipe: { readonly name: string; readonly seed: number }): string {
  return join("runs", `${recipe.name}-${recipe.seed}`);
}

/**
 * Whether a run may use a folder, before anything is read for it.
 *
 * @param more - `resume`: a run in it goes on. `another`: the option that chooses another default folder, where this is one.
 * @throws `BasicError` `E_USAGE` where it is a file, or holds a run that is not to be resumed; `E_CHECKPOINT_MISSING` where
 * there is no run to resume.
 */
export function checkRunFolder(
  out: string,
  { resume, another }: { readonly resume: boolean; readonly another?: string | undefined },
): void {
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
  if (existsSync(join(out, EVALUATION_FILE))) throw finished(out, another);
  throw new BasicError(
    "E_USAGE",
    `There is a run in ${out} already. Continue it with --resume, choose another folder with --out, or remove it.`,
  );
}

function finished(out: string, another: string | undefined): BasicError {
  const report = join(out, "report.html");
  const found = existsSync(report)
    ? `its report is ${report}`
    : `\`basic-mllm report ${shellWord(out)}\` writes a report of it`;
  const options = [...(another === undefined ? [] : [another]), "--out DIR"].join(" or ");
  return new BasicError(
    "E_USAGE",
    `The run in ${out} is finished: ${found}. Start another one with ${options}, or remove that folder.`,
  );
}

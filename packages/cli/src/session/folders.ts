import { homedir } from "node:os";
import { join } from "node:path";

/** Where built data, rendered pictures and cached features live: BASIC_MLLM_CACHE, or the user's cache folder. */
export function cacheFolder(): string {
  const chosen = process.env["BASIC_MLLM_CACHE"];
  if (chosen !== undefined && chosen !== "") return chosen;
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "basic-mllm");
}

/** `runs/<recipe>-<seed>`, below the current folder. */
export function defaultRunFolder(recipe: { readonly name: string; readonly seed: number }): string {
  return join("runs", `${recipe.name}-${recipe.seed}`);
}

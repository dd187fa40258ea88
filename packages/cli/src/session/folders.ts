import { join } from "node:path";

/** `runs/<recipe>-<seed>`, below the current folder. */
export function defaultRunFolder(recipe: { readonly name: string; readonly seed: number }): string {
  return join("runs", `${recipe.name}-${recipe.seed}`);
}

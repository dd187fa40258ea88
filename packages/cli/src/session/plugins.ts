import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createJiti } from "jiti";

/** Folder of the recipe or run that this process works on; a plugin is looked for there first. */
let nearest: string | undefined;

/** Says where a recipe comes from. @param folder - Of the recipe file, or the run. */
export function lookForPluginsIn(folder: string): void {
  nearest = resolve(folder);
}

/** Plugins are the user's packages: found from the folder of the recipe, then from that of the command. */
export async function importPlugin(name: string): Promise<unknown> {
  return import(resolvePlugin(name));
}

/**
 * The address of a package or file, as `import` in a module of one of the folders would find it.
 *
 * @throws `Error` naming the folders.
 */
function resolvePlugin(name: string): string {
  const folders = [...new Set([...(nearest === undefined ? [] : [nearest]), process.cwd()])];
  for (const folder of folders) {
    const parent = pathToFileURL(join(folder, "recipe.mjs")).href;
    const found = createJiti(parent).esmResolve(name, {
      parentURL: parent,
      conditions: ["node", "import"],
      try: true,
    });
    if (found !== undefined && existsSync(new URL(found))) return found;
  }
  throw new Error(`it is not found from ${folders.join(" or from ")}`);
}

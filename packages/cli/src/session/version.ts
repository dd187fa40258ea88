import { spawnSync } from "node:child_process";
import { readFileSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Where the package.json of this package lies. */
const packageFolder = new URL(import.meta.url.includes("/dist/") ? ".." : "../..", import.meta.url);

/** Version of this package. */
export function version(): string {
  const file = new URL("package.json", packageFolder);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** Commit of the clone that these sources are in; null where they are installed in somebody's project. */
export function commit(): string | null {
  return commitOf(fileURLToPath(packageFolder));
}

/** @internal Commit of the clone of basic-mllm that has its packages/cli in `folder`. */
export function commitOf(folder: string): string | null {
  const { status, stdout } = spawnSync("git", ["rev-parse", "--show-toplevel", "HEAD"], {
    cwd: folder,
    encoding: "utf8",
  });
  const [top = "", head = ""] = (stdout ?? "").trim().split("\n");
  if (status !== 0 || relative(realpathSync(top), realpathSync(folder)) !== join("packages", "cli"))
    return null;
  return head;
}

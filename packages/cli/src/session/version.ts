import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Version of this package. */
export function version(): string {
  const file = new URL(
    import.meta.url.includes("/dist/") ? "../package.json" : "../../package.json",
    import.meta.url,
  );
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** Commit of the clone that these sources are in; null outside of one. */
export function commit(): string | null {
  const cwd = new URL(".", import.meta.url);
  const { status, stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd, encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

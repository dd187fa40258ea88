import { readFileSync } from "node:fs";

/** Version of this package. */
export function version(): string {
  const file = new URL(
    import.meta.url.includes("/dist/") ? "../package.json" : "../../package.json",
    import.meta.url,
  );
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

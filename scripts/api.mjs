// Keeps packages/*/api*.d.ts, the public API as a reviewer reads it in a diff.
// `npm run api` writes the files after a build; `--check` fails where one is stale.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./steps.mjs";

/** The declarations of each entry of a package, and where their snapshot is kept. */
function entriesOf(name) {
  const { exports = {} } = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8"));
  const others = Object.keys(exports).filter((key) => exports[key].types !== undefined && key !== ".");
  return [["index", "api.d.ts"], ...others.map((key) => [key.slice(2), `api.${key.slice(2)}.d.ts`])];
}

const stale = [];
for (const name of readdirSync(join(root, "packages"))) {
  for (const [entry, kept] of entriesOf(name)) {
    const built = join(root, "packages", name, "dist", `${entry}.d.ts`);
    if (!existsSync(built)) continue;
    const snapshot = join(root, "packages", name, kept);
    const text = readFileSync(built, "utf8").replace(/\n\/\/# sourceMappingURL.*\n?/, "\n");
    if (existsSync(snapshot) && readFileSync(snapshot, "utf8") === text) continue;
    if (process.argv.includes("--check")) stale.push(`packages/${name}/${kept}`);
    else writeFileSync(snapshot, text);
  }
}
if (stale.length > 0) {
  process.stderr.write(
    `The public API changed: ${stale.join(", ")}. Run \`npm run api\` and commit the result.\n`,
  );
  process.exitCode = 1;
}

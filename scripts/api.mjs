// Keeps packages/*/api.d.ts, the public API as a reviewer reads it in a diff.
// `npm run api` writes the files after a build; `--check` fails where one is stale.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./steps.mjs";

const stale = [];
for (const name of readdirSync(join(root, "packages"))) {
  const built = join(root, "packages", name, "dist", "index.d.ts");
  if (!existsSync(built)) continue;
  const snapshot = join(root, "packages", name, "api.d.ts");
  const text = readFileSync(built, "utf8").replace(/\n\/\/# sourceMappingURL.*\n?/, "\n");
  if (existsSync(snapshot) && readFileSync(snapshot, "utf8") === text) continue;
  if (process.argv.includes("--check")) stale.push(`packages/${name}/api.d.ts`);
  else writeFileSync(snapshot, text);
}
if (stale.length > 0) {
  process.stderr.write(
    `The public API changed: ${stale.join(", ")}. Run \`npm run api\` and commit the result.\n`,
  );
  process.exitCode = 1;
}

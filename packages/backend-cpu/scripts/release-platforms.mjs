// Before a release: names the platform packages in npm/ as optionalDependencies of this package, in package.json.
// They stand there in released versions only: npm would look for unpublished ones and fail in a clone.
// Usage: build-platforms.mjs, this, `npm publish` in each folder of npm/, then here; then git checkout package.json.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { reportFailure, root } from "./cargo.mjs";

const PACKAGES = 7;

function readManifest(folder) {
  return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
}

await reportFailure(() => {
  const manifest = readManifest(root);
  const platforms = readdirSync(path.join(root, "npm")).map((name) =>
    readManifest(path.join(root, "npm", name)),
  );
  const stale = platforms.find(({ version }) => version !== manifest.version);
  if (stale !== undefined) {
    throw new Error(`${stale.name} has version ${stale.version}, not ${manifest.version}. Build it again.`);
  }
  if (platforms.length !== PACKAGES) {
    throw new Error(`npm/ has ${platforms.length} of ${PACKAGES} packages. Run build-platforms.mjs first.`);
  }
  manifest.optionalDependencies = Object.fromEntries(platforms.map(({ name, version }) => [name, version]));
  writeFileSync(path.join(root, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
});

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

import type { Plugin } from "vite";

/** What the service worker reads: a name that changes with the files, and the files. */
const PLACEHOLDER = "__FILES__";

/** Tells the service worker which files the page is made of, so that it works without a network afterwards. */
export function offline(): Plugin {
  let folder = "dist";
  return {
    name: "offline",
    apply: "build",
    configResolved: ({ root, build }) => {
      folder = resolve(root, build.outDir);
    },
    closeBundle: () => {
      const worker = join(folder, "service-worker.js");
      const files = filesIn(folder).filter((name) => name !== "service-worker.js" && !name.endsWith(".map"));
      const hash = createHash("sha256");
      for (const name of files) hash.update(name).update(readFileSync(join(folder, name)));
      const contents = JSON.stringify({ version: hash.digest("hex").slice(0, 12), files });
      writeFileSync(worker, readFileSync(worker, "utf8").replace(`"${PLACEHOLDER}"`, contents));
    },
  };
}

function filesIn(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}

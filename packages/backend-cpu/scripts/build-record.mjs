// Whether a built file is that of the sources as they are now. File times do not tell: a copy is as new as its copying.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Names and contents of files and folders, as one number. */
export function hashOf(entries) {
  const hash = createHash("sha256");
  const add = (entry, name) => {
    if (statSync(entry).isDirectory()) {
      for (const child of readdirSync(entry).sort()) add(path.join(entry, child), `${name}/${child}`);
      return;
    }
    const bytes = readFileSync(entry);
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  };
  for (const entry of entries) add(entry, path.basename(entry));
  return hash.digest("hex");
}

/** Whether `target` is the file that {@link recordBuild} saw, and its sources are still those. */
export function isCurrent(target, sources, folder) {
  const record = recordOf(target, folder);
  if (!existsSync(target) || !existsSync(record)) return false;
  return readFileSync(record, "utf8") === lineOf(hashOf(sources), target);
}

/** Notes what `target` was built from. @param sources - Their {@link hashOf}, from before the build. */
export function recordBuild(target, sources, folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(recordOf(target, folder), lineOf(sources, target));
}

function recordOf(target, folder) {
  return path.join(folder, `${path.basename(target)}.built`);
}

function lineOf(sources, target) {
  return `${sources} ${hashOf([target])}\n`;
}

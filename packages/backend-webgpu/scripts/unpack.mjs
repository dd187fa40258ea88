// Files of the npm package @sparticuz/chromium, for tests: unpacked once into node_modules/.cache.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";

const MODULES = fileURLToPath(new URL("../../../node_modules/", import.meta.url));
const CACHE = path.join(MODULES, ".cache");

/**
 * A folder with what these archives hold, all in one place; an archive that is no tar file is a program. Several
 * processes may unpack at once: the first to finish wins.
 *
 * @param {string} name - How the folder's name begins.
 * @param {readonly string[]} archives - In the package's folder `bin`.
 * @param {Readonly<Record<string, string>>} texts - Files to put beside what they hold.
 */
export function unpacked(name, archives, texts = {}) {
  const files = archives.map((archive) =>
    readFileSync(path.join(MODULES, "@sparticuz/chromium/bin", archive)),
  );
  const hash = createHash("sha256").update(JSON.stringify(texts));
  for (const file of files) hash.update(file);
  const folder = path.join(CACHE, `${name}-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(`${folder}-`);
  for (const [i, archive] of archives.entries()) unpack(archive, brotliDecompressSync(files[i]), fresh);
  for (const [file, text] of Object.entries(texts)) writeFileSync(path.join(fresh, file), text);
  try {
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

function unpack(archive, input, folder) {
  if (archive.endsWith(".tar.br")) execFileSync("tar", ["-x", "-C", folder], { input });
  else writeFileSync(path.join(folder, path.basename(archive, ".br")), input, { mode: 0o755 });
}

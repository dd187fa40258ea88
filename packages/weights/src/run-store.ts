import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { BasicError, explainDiskFull, type FileContent, type RunStore } from "@basic-mllm/core";

import { replaceFile, syncFolder, writeSynced } from "./files.js";
import { takeLock } from "./run-lock.js";

const MANIFEST = "manifest.json";
/** Names that a kill may leave behind: never listed, removed when the run is next locked. */
const TEMPORARY = ".tmp-";

interface ManifestEntry {
  readonly sha256: string;
  readonly bytes: number;
}

/** What is in a folder of `writeFolder`. */
interface Manifest {
  readonly version: 1;
  readonly files: Readonly<Record<string, ManifestEntry>>;
}

/**
 * A run store in a folder on disk, for Node.
 *
 * A file or checkpoint is written under a temporary name, synced to the disk, and renamed: it is there as a
 * whole or not at all, whatever moment the process or the machine stops at.
 *
 * @param folder - Made on the first write.
 */
export function createDiskStore(folder: string): RunStore {
  const root = resolve(folder);
  const at = (path: string) => join(root, ...path.split("/"));
  const guarded = <T>(path: string, work: () => Promise<T>) => explainDiskFull(diskFull(root, path), work);
  return {
    location: folder,
    read: (path) => readPlain(at(path)),
    exists: (path) => exists(at(path)),
    write: (path, bytes) => guarded(path, () => writeWhole(at(path), bytes)),
    append: (path, line) => guarded(path, () => appendLine(at(path), line)),
    truncateLines: (path, lines) => guarded(path, () => truncateLines(at(path), lines)),
    list: async (path) => {
      const names = (await exists(at(path))) ? await readdir(at(path)) : [];
      return names.filter((name) => !name.startsWith(TEMPORARY)).sort();
    },
    remove: (path) => rm(at(path), { recursive: true, force: true }),
    writeFolder: (path, files) => guarded(path, () => writeFolder(at(path), files)),
    readFolder: (path) => readFolder(at(path), path),
    lock: async () => {
      await guarded("lock", () => mkdir(root, { recursive: true }));
      const release = await guarded("lock", () => takeLock(root));
      await removeLeftovers(root);
      return release;
    },
  };
}

/** Without Node's Buffer, whose slice() shares memory. */
async function readPlain(path: string): Promise<Uint8Array> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function temporaryName(path: string): string {
  return join(dirname(path), `${TEMPORARY}${basename(path)}`);
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await replaceFile(path, temporaryName(path), [bytes]);
}

async function appendLine(path: string, line: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, "a");
  try {
    await file.writeFile(`${line}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function truncateLines(path: string, lines: number): Promise<void> {
  const text = (await exists(path)) ? await readFile(path) : Buffer.alloc(0);
  let end = 0;
  for (let line = 0; line < lines && end < text.length; line++) {
    const newline = text.indexOf(0x0a, end);
    end = newline === -1 ? text.length : newline + 1;
  }
  if (end < text.length) await writeWhole(path, text.subarray(0, end));
}

async function writeFolder(path: string, files: Readonly<Record<string, FileContent>>): Promise<void> {
  const temporary = temporaryName(path);
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    const written: Record<string, ManifestEntry> = {};
    for (const [name, content] of Object.entries(files)) {
      const pieces = hashed(content);
      await writeSynced(join(temporary, name), pieces);
      written[name] = pieces.entry();
    }
    await writeSynced(join(temporary, MANIFEST), [encodeManifest(written)]);
    await syncFolder(temporary);
    await moveAside(path);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(dirname(path));
  await rm(`${temporary}.old`, { recursive: true, force: true });
}

/** The pieces of a file, hashed as they pass. */
function hashed(content: FileContent): AsyncIterable<Uint8Array> & { entry(): ManifestEntry } {
  const hash = createHash("sha256");
  let bytes = 0;
  return {
    async *[Symbol.asyncIterator]() {
      for await (const piece of content instanceof Uint8Array ? [content] : content) {
        hash.update(piece);
        bytes += piece.length;
        yield piece;
      }
    },
    entry: () => ({ sha256: hash.digest("hex"), bytes }),
  };
}

/** A folder cannot be renamed onto another one. */
async function moveAside(path: string): Promise<void> {
  const old = `${temporaryName(path)}.old`;
  await rm(old, { recursive: true, force: true });
  if (await exists(path)) await rename(path, old);
}

function encodeManifest(files: Manifest["files"]): Uint8Array {
  const manifest: Manifest = { version: 1, files };
  return new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
}

async function readFolder(path: string, name: string): Promise<Readonly<Record<string, Uint8Array>>> {
  const { files } = await readManifest(join(path, MANIFEST), name);
  const contents: Record<string, Uint8Array> = {};
  for (const [file, expected] of Object.entries(files)) {
    const bytes = await readPlain(join(path, file)).catch(() => null);
    if (bytes === null) throw damaged(name, `the file ${file} is missing`);
    if (bytes.length !== expected.bytes) {
      throw damaged(name, `${file} has ${bytes.length} bytes, expected ${expected.bytes}`);
    }
    if (sha256(bytes) !== expected.sha256) throw damaged(name, `the SHA-256 of ${file} differs`);
    contents[file] = bytes;
  }
  return contents;
}

async function readManifest(path: string, name: string): Promise<Manifest> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) throw damaged(name, "its manifest is missing");
  const manifest = parseManifest(text, name);
  if (isManifest(manifest)) return manifest;
  throw damaged(name, "its manifest lists no files with their sizes and hashes");
}

function parseManifest(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(name, "its manifest is not JSON", error);
  }
}

function isManifest(value: unknown): value is Manifest {
  const { files } = (value ?? {}) as { files?: unknown };
  const isEntry = (entry: unknown) => typeof entry === "object" && entry !== null;
  return isEntry(files) && Object.values(files as object).every(isEntry);
}

function damaged(name: string, problem: string, cause?: unknown): BasicError {
  return new BasicError("E_CHECKPOINT_CORRUPT", `Checkpoint ${name} is damaged: ${problem}.`, { cause });
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Temporary files and folders of a run that was killed; only the holder of the lock may call this. */
async function removeLeftovers(root: string): Promise<void> {
  for (const folder of [root, join(root, "checkpoints")]) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((candidate) => candidate.startsWith(TEMPORARY))) {
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

function diskFull(root: string, path: string): string {
  return (
    `The disk is full: ${path} could not be written in ${root}. Nothing was damaged. ` +
    "Make space and resume the run: it goes on from its last checkpoint."
  );
}

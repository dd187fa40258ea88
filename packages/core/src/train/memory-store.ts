import { BasicError } from "../errors.js";
import type { FileContent, RunStore } from "./run-store.js";

const MANIFEST = "manifest.json";

/** Files of {@link createMemoryStore} by path: kept by the caller to look into or to continue from. */
export type MemoryFiles = Map<string, Uint8Array>;

/** Stores whose run is taken, by their files. */
const locked = new WeakSet<MemoryFiles>();

/**
 * A run store in memory, for tests and for browsers without a file system.
 *
 * @param files - Where files go; pass the same map to a second store to continue a run.
 */
export function createMemoryStore(files: MemoryFiles = new Map()): RunStore {
  return {
    location: "memory",
    ...fileMethods(files),
    ...folderMethods(files),
    lock: async () => lock(files),
  };
}

function fileMethods(
  files: MemoryFiles,
): Pick<RunStore, "read" | "exists" | "write" | "append" | "truncateLines"> {
  return {
    read: async (path) => {
      const bytes = files.get(path);
      if (bytes !== undefined) return bytes.slice();
      throw new BasicError(
        "E_CHECKPOINT_MISSING",
        `There is no file "${path}" in memory. Pass the files of the run to createMemoryStore, or start a new one.`,
      );
    },
    exists: async (path) => [...files.keys()].some((name) => name === path || name.startsWith(`${path}/`)),
    write: async (path, bytes) => {
      files.set(path, bytes.slice());
    },
    append: async (path, line) => {
      const before = files.get(path) ?? new Uint8Array();
      files.set(path, join([before, new TextEncoder().encode(`${line}\n`)]));
    },
    truncateLines: async (path, lines) => {
      const text = new TextDecoder().decode(files.get(path) ?? new Uint8Array());
      const kept = text.split(/(?<=\n)/).slice(0, lines);
      files.set(path, new TextEncoder().encode(kept.join("")));
    },
  };
}

function folderMethods(files: MemoryFiles): Pick<RunStore, "list" | "remove" | "writeFolder" | "readFolder"> {
  return {
    list: async (folder) => {
      const inside = [...files.keys()].filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(inside.map((path) => path.slice(folder.length + 1).split("/")[0] as string))].sort();
    },
    remove: async (path) => removeFolder(files, path),
    writeFolder: async (folder, contents) => {
      const whole: [string, Uint8Array][] = [];
      for (const [name, content] of Object.entries(contents)) whole.push([name, await collect(content)]);
      const hashes: Record<string, string> = {};
      for (const [name, bytes] of whole) hashes[name] = await sha256(bytes);
      removeFolder(files, folder);
      for (const [name, bytes] of whole) files.set(`${folder}/${name}`, bytes);
      files.set(`${folder}/${MANIFEST}`, new TextEncoder().encode(JSON.stringify(hashes)));
    },
    readFolder: async (folder) => {
      const contents: Record<string, Uint8Array> = {};
      for (const [name, hash] of Object.entries(readManifest(files, folder))) {
        const bytes = files.get(`${folder}/${name}`);
        if (bytes === undefined) throw corrupt(folder, `the file ${name} is missing`);
        if ((await sha256(bytes)) !== hash) throw corrupt(folder, `the hash of ${name} differs`);
        contents[name] = bytes.slice();
      }
      return contents;
    },
  };
}

/** The bytes of a file, copied. */
async function collect(content: FileContent): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content.slice();
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part.slice());
  return join(parts);
}

function removeFolder(files: MemoryFiles, folder: string): void {
  for (const path of [...files.keys()]) {
    if (path === folder || path.startsWith(`${folder}/`)) files.delete(path);
  }
}

function readManifest(files: MemoryFiles, folder: string): Readonly<Record<string, string>> {
  const manifest = files.get(`${folder}/${MANIFEST}`);
  if (manifest === undefined) throw corrupt(folder, "its manifest is missing");
  try {
    return JSON.parse(new TextDecoder().decode(manifest)) as Readonly<Record<string, string>>;
  } catch {
    throw corrupt(folder, "its manifest is not JSON");
  }
}

function lock(files: MemoryFiles): () => Promise<void> {
  if (locked.has(files)) {
    throw new BasicError("E_RUN_LOCKED", "Another training run uses this store in memory. Wait for its end.");
  }
  locked.add(files);
  return async () => {
    locked.delete(files);
  };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return all;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes.slice());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function corrupt(folder: string, problem: string): BasicError {
  return new BasicError("E_CHECKPOINT_CORRUPT", `Checkpoint ${folder} is damaged: ${problem}.`);
}

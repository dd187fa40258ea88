import { readdir, stat } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";

import { BasicError } from "@basic-mllm/core";

import { unreadable } from "./file-range.js";
import type { SampleFormat } from "./sample-source.js";

const FORMATS: Readonly<Record<string, SampleFormat>> = {
  ".json": "json",
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".parquet": "parquet",
  ".tar": "tar",
};

/** The files of a data set. */
export interface ShardFiles {
  readonly format: SampleFormat;
  /** Sorted by name. */
  readonly files: readonly string[];
  /** The folder that they lie below. */
  readonly folder: string;
}

/**
 * Finds the files of a data set: one file, all of a folder, or those of a pattern (`*`, `?`, `{00..12}`).
 *
 * @throws `BasicError` `E_DATA_FORMAT` for an unknown extension, formats that are mixed, or a path that is not there;
 *   `E_DATA_EMPTY` where nothing matches.
 */
export async function findShards(path: string): Promise<ShardFiles> {
  const found = await stat(path).catch((cause: unknown) => cause);
  const isThere = !(found instanceof Error);
  if (!isThere && /[*?{]/.test(path)) return ofFiles(path, await matching(path), patternFolder(path));
  if (!isThere) throw unreadable(path, found);
  if (!(found as Awaited<ReturnType<typeof stat>>).isDirectory()) {
    return { format: formatOf(path), files: [path], folder: dirname(path) };
  }
  const files = await filesBelow(path);
  return ofFiles(
    path,
    files.filter((file) => FORMATS[extension(file)] !== undefined),
    path,
  );
}

/** Links count as files, as in the cache of the hub, unless they lead to a folder. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw unreadable(folder, cause);
  });
  const found = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    return entry.isFile() || (entry.isSymbolicLink() && !(await isFolder(path))) ? [path] : [];
  });
  return (await Promise.all(found)).flat();
}

/** False for a link that leads nowhere: opening it says so. */
async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function extension(file: string): string {
  return extname(file).toLowerCase();
}

function formatOf(file: string): SampleFormat {
  const format = FORMATS[extension(file)];
  if (format !== undefined) return format;
  throw new BasicError(
    "E_DATA_FORMAT",
    `data set ${file}: expected a file that ends in ${Object.keys(FORMATS).join(", ")}, or a folder of such files, got "${extension(file)}". ` +
      "Rename or convert the file; decompress a compressed archive first.",
  );
}

function ofFiles(path: string, files: readonly string[], folder: string): ShardFiles {
  const sorted = files.toSorted((a, b) => (a < b ? -1 : 1));
  const formats = [...new Set(sorted.map(formatOf))];
  const [format] = formats;
  if (format === undefined) {
    throw new BasicError(
      "E_DATA_EMPTY",
      `data set ${path}: expected at least one file that ends in ${Object.keys(FORMATS).join(", ")}, got none. Check the path.`,
    );
  }
  if (formats.length > 1) {
    throw new BasicError(
      "E_DATA_FORMAT",
      `data set ${path}: expected files of one format, got ${formats.join(" and ")}. Name those that you mean with a pattern, for example ${join(path, "*.tar")}.`,
    );
  }
  return { format, files: sorted, folder };
}

/** The part of a pattern before its first wildcard. */
function patternFolder(pattern: string): string {
  const wild = pattern.search(/[*?{]/);
  return dirname(`${pattern.slice(0, wild)}x`);
}

async function matching(pattern: string): Promise<readonly string[]> {
  const folder = patternFolder(pattern);
  const files = await filesBelow(folder);
  const expressions = expandBraces(relative(folder, pattern)).map(toExpression);
  return files.filter((file) => expressions.some((expression) => expression.test(relative(folder, file))));
}

/** `a{08..10}` to `a08`, `a09`, `a10`; `{x,y}` to each. */
function expandBraces(pattern: string): readonly string[] {
  const match = /\{([^{}]*)\}/.exec(pattern);
  if (match === null) return [pattern];
  const [whole, inner = ""] = match;
  const range = /^(\d+)\.\.(\d+)$/.exec(inner);
  const values = range === null ? inner.split(",") : numbers(range[1] ?? "", range[2] ?? "");
  return values.flatMap((value) => expandBraces(pattern.replace(whole, () => value)));
}

/** More shards than this are a typing error. */
const LARGEST_RANGE = 1_000_000;

function numbers(from: string, to: string): readonly string[] {
  const [first, last] = [Number(from), Number(to)];
  const count = Math.min(LARGEST_RANGE, last - first + 1);
  return Array.from({ length: Math.max(0, count) }, (_, i) => String(first + i).padStart(from.length, "0"));
}

/** A wildcard stays inside of a folder. */
function toExpression(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^$()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\*+/g, "[^/\\\\]*").replaceAll("?", "[^/\\\\]")}$`);
}

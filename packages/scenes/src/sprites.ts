import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { BasicError, explainDiskFull } from "@basic-mllm/core";

import { findDrawing, readArtSource, readIconSet, readPackageJson } from "./art.js";
import { type Concept, type Emoji, toConcept } from "./concepts.js";
import { readEmoji } from "./emoji.js";
import { stopIfAborted } from "./interrupted.js";
import { readSheet, writeSheet } from "./sheet-file.js";
import {
  BYTES_PER_SPRITE,
  SPRITE_CELL,
  SPRITE_SIZES,
  SPRITES_PER_CONCEPT,
  type SpriteSheet,
} from "./sprite-sheet.js";
import { type ArtSource, STYLES } from "./styles.js";

const FORMAT = 1;

/** Drawing processes, at most: each holds the drawings of all concepts. */
const MOST_PROCESSES = 4;

/** Called while sprites are drawn. */
export type SpriteProgress = (done: number, total: number) => void;

/** Where sprites are kept and which are wanted. */
export interface SpriteOptions {
  /** Folder of the cache; default {@link defaultCacheFolder}. */
  readonly cacheFolder?: string;
  readonly onProgress?: SpriteProgress;
  /** Stops the drawing. */
  readonly signal?: AbortSignal;
  /** Labels of the emoji wanted; default all. */
  readonly labels?: readonly string[];
}

/** `$BASIC_MLLM_CACHE`, else `$XDG_CACHE_HOME/basic-mllm`, else `~/.cache/basic-mllm`. An empty variable is none. */
export function defaultCacheFolder(): string {
  const { BASIC_MLLM_CACHE: chosen, XDG_CACHE_HOME: caches } = process.env;
  return chosen || join(caches || join(homedir(), ".cache"), "basic-mllm");
}

/**
 * Reads the sprites from the cache, or draws them first (about half a minute).
 *
 * A picture that cannot be drawn leaves its concept out.
 *
 * @throws `BasicError` `E_IMAGE` when nothing could be drawn, `E_DISK_FULL`; `E_INTERRUPTED` where `signal` was aborted.
 */
export async function loadSprites(options: SpriteOptions = {}): Promise<SpriteSheet> {
  const folder = options.cacheFolder ?? defaultCacheFolder();
  const sources = await Promise.all(STYLES.map(readArtSource));
  const path = join(folder, `sprites-${await sheetKey(sources, options.labels)}.bin`);
  const cached = await readSheet(path);
  if (cached !== null) return cached;
  const full = `The disk is full: the drawings could not be written to ${folder} (from ${tmpdir()}). Make space and run the command again, or set BASIC_MLLM_CACHE and TMPDIR to folders on another disk.`;
  return explainDiskFull(full, async () => {
    const sheet = await drawSheet(sources, options);
    await mkdir(folder, { recursive: true });
    await writeSheet(path, sheet);
    return sheet;
  });
}

/** Changes with the art, the renderer and the file format. */
async function sheetKey(
  sources: readonly ArtSource[],
  labels: readonly string[] | undefined,
): Promise<string> {
  const versions = await Promise.all(
    ["@resvg/resvg-js/package.json", "emojibase-data/package.json"].map(readPackageJson),
  );
  const names = (versions as readonly { readonly version: string }[]).map(({ version }) => version);
  const parts = [FORMAT, SPRITE_SIZES, SPRITE_CELL, sources, names, labels ?? "all"];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}

async function drawSheet(sources: readonly ArtSource[], options: SpriteOptions): Promise<SpriteSheet> {
  const { concepts, jobs } = await findDrawings(options.labels);
  const folder = await mkdtemp(join(tmpdir(), "basic-mllm-sprites-"));
  try {
    const drawn = await drawAll({ folder, jobs, onProgress: options.onProgress, signal: options.signal });
    if (drawn.kept.length === 0) {
      throw new BasicError(
        "E_IMAGE",
        `sprites: none of ${jobs.length} pictures could be drawn: ${drawn.reason}. ` +
          "Check that @resvg/resvg-js is installed for this platform.",
      );
    }
    const size = SPRITES_PER_CONCEPT * BYTES_PER_SPRITE;
    const pixels = new Uint8Array(drawn.kept.length * size);
    for (const [place, job] of drawn.kept.entries()) {
      pixels.set(drawn.pixels.subarray(job * size, (job + 1) * size), place * size);
    }
    return { concepts: drawn.kept.map((job) => concepts[job] as Concept), sources, pixels };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The concepts that all teams drew, with a line of SVGs for each. */
async function findDrawings(
  labels: readonly string[] | undefined,
): Promise<{ concepts: readonly Concept[]; jobs: readonly string[] }> {
  const wanted = labels === undefined ? null : new Set(labels);
  const emoji = (await readEmoji()).filter(({ label }) => wanted?.has(label) ?? true);
  const drawings = emoji.map((): string[] => []);
  for (const style of STYLES) {
    // One set at a time: together they take several hundred megabytes.
    const set = await readIconSet(style);
    for (const [index, candidate] of emoji.entries()) {
      const svg = findDrawing(set, candidate);
      if (svg !== null) drawings[index]?.push(svg);
    }
  }
  const complete = emoji.flatMap((candidate: Emoji, index) => {
    const concept = toConcept(candidate);
    const svgs = drawings[index] ?? [];
    return concept === null || svgs.length < STYLES.length ? [] : [{ concept, job: JSON.stringify(svgs) }];
  });
  return { concepts: complete.map(({ concept }) => concept), jobs: complete.map(({ job }) => job) };
}

interface DrawTask {
  readonly folder: string;
  readonly jobs: readonly string[];
  readonly onProgress: SpriteProgress | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Draws all, in several processes at once. */
async function drawAll({ folder, jobs, onProgress, signal }: DrawTask): Promise<{
  kept: readonly number[];
  pixels: Uint8Array;
  reason: string;
}> {
  const jobFile = join(folder, "jobs.jsonl");
  const outFile = join(folder, "pixels.bin");
  await writeFile(jobFile, jobs.join("\n"));
  const out = await open(outFile, "w");
  await out.truncate(jobs.length * SPRITES_PER_CONCEPT * BYTES_PER_SPRITE);
  await out.close();
  let begun = 0;
  const onLine = (): void => onProgress?.(begun++, jobs.length);
  const step = Math.min(MOST_PROCESSES, availableParallelism());
  const failure = new AbortController();
  const either = AbortSignal.any([failure.signal, ...(signal === undefined ? [] : [signal])]);
  const shares = Array.from({ length: step }, (_, first) =>
    drawShare({ jobFile, outFile, first, step, signal: either, onLine }, jobs.length),
  );
  const drawn = await Promise.all(shares).catch(async (error: unknown) => {
    // The others end before their files are removed.
    failure.abort();
    await Promise.allSettled(shares);
    throw error;
  });
  const skipped = new Map(drawn.flatMap((share) => [...share]));
  onProgress?.(jobs.length, jobs.length);
  const kept = jobs.flatMap((_, index) => (skipped.has(index) ? [] : [index]));
  const reason = [...skipped.values()].at(-1) ?? "no drawing was found";
  return { kept, pixels: await readFile(outFile), reason };
}

/** Runs a drawing process again after each drawing that ended it. @returns The lines left out, and why. */
async function drawShare(task: ChildTask, lines: number): Promise<ReadonlyMap<number, string>> {
  const skipped = new Map<number, string>();
  for (let first = task.first; first < lines; ) {
    const child = await drawFrom({ ...task, first });
    stopIfAborted(task.signal, "Stopped while the drawings were made. Start again to make them.");
    for (const entry of child.skipped) skipped.set(...entry);
    if (child.ok) break;
    skipped.set(child.last, child.reason);
    first = child.last + task.step;
  }
  return skipped;
}

interface ChildTask {
  readonly jobFile: string;
  readonly outFile: string;
  readonly first: number;
  /** From line to line. */
  readonly step: number;
  readonly signal: AbortSignal;
  readonly onLine: () => void;
}

interface ChildResult {
  readonly ok: boolean;
  /** The line that was being drawn when the process ended. */
  readonly last: number;
  readonly skipped: ReadonlyMap<number, string>;
  readonly reason: string;
}

async function drawFrom(task: ChildTask): Promise<ChildResult> {
  const script = fileURLToPath(new URL("../src/rasterize-child.mjs", import.meta.url));
  const { jobFile, outFile, first, step, signal, onLine } = task;
  const places = [first, step, SPRITE_SIZES.join(","), SPRITE_CELL].map(String);
  const child = spawn(process.execPath, [script, jobFile, outFile, ...places], {
    stdio: ["ignore", "pipe", "ignore"],
    signal,
  });
  const ended = new Promise<{ ok: boolean; reason: string }>((resolve) => {
    child.once("error", (error) => resolve({ ok: false, reason: error.message }));
    child.once("close", (code, signal) =>
      resolve({ ok: code === 0, reason: `ended with ${signal ?? code}` }),
    );
  });
  let last = first;
  const skipped = new Map<number, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [, skippedLine, why] = /^skip (\d+) (.*)$/.exec(line) ?? [];
    const [, code, message] = /^stop (\w+) (.*)$/.exec(line) ?? [];
    if (code !== undefined) throw Object.assign(new Error(message), { code });
    if (skippedLine === undefined) {
      last = Number(line);
      onLine();
    } else {
      skipped.set(Number(skippedLine), why ?? "");
    }
  }
  return { ...(await ended), last, skipped };
}

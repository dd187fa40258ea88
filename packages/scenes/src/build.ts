import { createHash, type Hash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { BasicError, explainDiskFull } from "@basic-mllm/core";

import { type ArtSource, STYLES, type Style } from "./art.js";
import { SCENE_SIZE } from "./compose.js";
import { conceptPools } from "./concepts.js";
import { stopIfAborted } from "./interrupted.js";
import { createTopic } from "./language.js";
import { encodePng } from "./png.js";
import { makeSample, type SceneRecord, type SceneWorld, type SplitPlan } from "./records.js";
import type { Variant } from "./scene.js";
import type { SpriteSheet } from "./sprite-sheet.js";
import { buildTokenizer, buildVocabulary } from "./vocabulary.js";

const FORMAT = 4;
const AT_ONCE = 64;

/** What to build. Every default is the quickstart's. */
export interface SceneOptions {
  /** Default `solo`. */
  readonly variant?: Variant;
  /** Scenes with captions. Default 8,000. */
  readonly train1?: number;
  /** Scenes with chat. Default 12,000. */
  readonly train2?: number;
  /** Scenes of each evaluation set. Default 400. */
  readonly test?: number;
  /** Default 0. */
  readonly seed?: number;
  /** The team that training never sees. Default `noto`. */
  readonly testStyle?: Style;
  /** The team of the `validation` set, to tune on. Default `twemoji`. */
  readonly validationStyle?: Style;
  /** Whether training leaves out the validation style, as it does the test style. Default false. */
  readonly excludeValidationStyle?: boolean;
  /** Concepts that training never shows. Default one in eight of the pool. */
  readonly heldOut?: number;
}

/** `manifest.json`: where a data set comes from. */
export interface SceneManifest {
  readonly format: number;
  readonly options: Required<Omit<SceneOptions, "heldOut">>;
  readonly trainStyles: readonly Style[];
  readonly art: readonly ArtSource[];
  readonly seen: readonly string[];
  readonly heldOut: readonly string[];
  /** Scenes and records of each set; the hash covers the records and the pixels. */
  readonly sets: Readonly<
    Record<string, { readonly scenes: number; readonly records: number; readonly sha256: string }>
  >;
}

/** Called while scenes are drawn. */
export type BuildProgress = (done: number, total: number) => void;

/** Where and from what to build. */
export interface BuildTarget {
  readonly sheet: SpriteSheet;
  readonly options?: SceneOptions;
  readonly onProgress?: BuildProgress;
  /** Stops the work between two groups of pictures. */
  readonly signal?: AbortSignal;
}

/**
 * Writes a picture task as PNG files and LLaVA JSON: `stage1.json` (captions), `stage2.json` (chat),
 * `validation.json` (one training style, to tune on), `test-noto.json` (named after the style that training never
 * sees), `test-train-artists.json`, `held-out.json` (concepts that training never shows), a tokenizer and
 * `manifest.json`. The same options give the same files, and fewer scenes are the first of more. A folder that was
 * built from the same options is kept.
 *
 * @throws `BasicError` `E_CONFIG` when the sheet has too few concepts for the task, `E_DISK_FULL`; `E_INTERRUPTED` where
 * `signal` was aborted: the next call draws all pictures again.
 */
export async function buildScenes(folder: string, target: BuildTarget): Promise<SceneManifest> {
  const plan = planScenes(target.sheet, target.options);
  const existing = await readManifest(folder);
  if (existing !== null && samePlan(existing, plan.manifest)) return existing;
  const full = `The disk is full: the pictures could not all be written to ${folder}. Make space and build them again, or give a folder on another disk.`;
  return explainDiskFull(full, () => writeAll(folder, plan, target));
}

async function writeAll(folder: string, plan: ScenePlan, target: BuildTarget): Promise<SceneManifest> {
  const total = plan.splits.reduce((sum, split) => sum + split.count, 0);
  const sets: Record<string, SceneManifest["sets"][string]> = {};
  let done = 0;
  // The manifest of other options would call half of these pictures whole.
  await rm(join(folder, "manifest.json"), { force: true });
  for (const split of plan.splits) {
    sets[split.name] = await writeSplit(folder, plan.world, split, (count) => {
      done += count;
      target.onProgress?.(done, total);
      stopIfAborted(
        target.signal,
        `Stopped after ${done} of ${total} pictures. Start again to draw them all.`,
      );
    });
  }
  for (const [name, content] of Object.entries(buildTokenizer(buildVocabulary(target.sheet.concepts)))) {
    await writeFile(join(folder, name), JSON.stringify(content));
  }
  const manifest: SceneManifest = { ...plan.manifest, sets };
  await writeWhole(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** What a build will draw. */
export interface ScenePlan {
  readonly world: SceneWorld;
  readonly splits: readonly SplitPlan[];
  readonly manifest: Omit<SceneManifest, "sets">;
}

/**
 * Decides concepts, styles and sets, and draws nothing yet: {@link makeSample} then draws any scene in memory.
 *
 * @throws `BasicError` `E_CONFIG` when the sheet has too few concepts for the task.
 */
export function planScenes(sheet: SpriteSheet, given: SceneOptions = {}): ScenePlan {
  const { heldOut, ...rest } = given;
  const options = { ...DEFAULTS, ...rest };
  const pools = conceptPools(sheet.concepts, heldOut);
  if (pools.seen.length < 2 || pools.heldOut.length < 2) {
    throw new BasicError(
      "E_CONFIG",
      `scenes: expected at least 2 seen and 2 held-out concepts, got ${pools.seen.length} and ${pools.heldOut.length}. ` +
        "Use more sprites or another heldOut.",
    );
  }
  const { testStyle, validationStyle, excludeValidationStyle, test } = options;
  const trainStyles = STYLES.filter(
    (style) => style !== testStyle && !(excludeValidationStyle && style === validationStyle),
  );
  const nameOf = (index: number): string => sheet.concepts[index]?.name ?? "";
  const world: SceneWorld = {
    sheet,
    pools,
    seen: createTopic(sheet.concepts, pools.seen),
    heldOut: createTopic(sheet.concepts, pools.heldOut),
    variant: options.variant,
    seed: options.seed,
  };
  const splits: readonly SplitPlan[] = [
    { name: "stage1", purpose: "captions", count: options.train1, styles: trainStyles },
    { name: "stage2", purpose: "chat", count: options.train2, styles: trainStyles },
    { name: "validation", purpose: "evaluation", count: test, styles: [validationStyle] },
    { name: `test-${testStyle}`, purpose: "evaluation", count: test, styles: [testStyle] },
    { name: "test-train-artists", purpose: "evaluation", count: test, styles: trainStyles },
    { name: "held-out", purpose: "held-out", count: test, styles: [testStyle] },
  ];
  const manifest = {
    format: FORMAT,
    options,
    trainStyles,
    art: sheet.sources,
    seen: pools.seen.map(nameOf),
    heldOut: pools.heldOut.map(nameOf),
  };
  return { world, splits, manifest };
}

const DEFAULTS = {
  variant: "solo",
  train1: 8000,
  train2: 12_000,
  test: 400,
  seed: 0,
  testStyle: "noto",
  validationStyle: "twemoji",
  excludeValidationStyle: false,
} as const satisfies SceneOptions;

async function writeSplit(
  folder: string,
  world: SceneWorld,
  split: SplitPlan,
  onScenes: (count: number) => void,
): Promise<SceneManifest["sets"][string]> {
  const hash = createHash("sha256");
  const records: SceneRecord[] = [];
  for (let start = 0; start < split.count; start += AT_ONCE) {
    const count = Math.min(AT_ONCE, split.count - start);
    records.push(...(await writeScenes({ folder, world, split, start, count, hash })));
    onScenes(count);
  }
  const text = JSON.stringify(records);
  await mkdir(folder, { recursive: true });
  await writeWhole(join(folder, `${split.name}.json`), text);
  return { scenes: split.count, records: records.length, sha256: hash.update(text).digest("hex") };
}

interface Chunk {
  readonly folder: string;
  readonly world: SceneWorld;
  readonly split: SplitPlan;
  readonly start: number;
  readonly count: number;
  readonly hash: Hash;
}

async function writeScenes({
  folder,
  world,
  split,
  start,
  count,
  hash,
}: Chunk): Promise<readonly SceneRecord[]> {
  const samples = Array.from({ length: count }, (_, offset) => makeSample(world, split, start + offset));
  for (const { pixels } of samples) hash.update(pixels);
  const folders = new Set(samples.map(({ image }) => dirname(join(folder, image))));
  await Promise.all([...folders].map((path) => mkdir(path, { recursive: true })));
  await Promise.all(
    samples.map(({ image, pixels }) =>
      writeFile(join(folder, image), encodePng(pixels, SCENE_SIZE, SCENE_SIZE)),
    ),
  );
  return samples.flatMap(({ records }) => records);
}

async function readManifest(folder: string): Promise<SceneManifest | null> {
  const text = await readFile(join(folder, "manifest.json"), "utf8").catch(() => null);
  return text === null ? null : (JSON.parse(text) as SceneManifest);
}

function samePlan({ sets: _, ...existing }: SceneManifest, planned: ScenePlan["manifest"]): boolean {
  return JSON.stringify(existing) === JSON.stringify(planned);
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}

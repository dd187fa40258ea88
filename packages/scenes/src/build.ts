import { createHash, type Hash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { explainDiskFull } from "@basic-mllm/core";

import { SCENE_SIZE } from "./compose.js";
import { stopIfAborted } from "./interrupted.js";
import { planScenes, type SceneManifest, type SceneOptions, type ScenePlan } from "./plan.js";
import { encodePng } from "./png.js";
import { makeSample, type SceneRecord, type SceneWorld, type SplitPlan } from "./records.js";
import type { SpriteSheet } from "./sprite-sheet.js";
import { buildTokenizer, buildVocabulary } from "./vocabulary.js";

const AT_ONCE = 64;

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

import { createHash } from "node:crypto";
import { join } from "node:path";
import { BasicError, type ComponentOptions, explainIssues, type Recipe } from "@basic-mllm/core";
import {
  buildScenes,
  loadSprites,
  type SceneManifest,
  type SceneOptions,
  type SpriteSheet,
} from "@basic-mllm/scenes";
import { z } from "zod";

import type { Progress, Terminal } from "../terminal.js";
import type { TaskContext } from "./task.js";

const schema = z
  .strictObject({
    variant: z.enum(["solo", "grid"]),
    train1: z.int().positive(),
    train2: z.int().positive(),
    test: z.int().positive(),
    seed: z.int().nonnegative(),
    testStyle: z.string(),
    validationStyle: z.string(),
    excludeValidationStyle: z.boolean(),
    heldOut: z.int().positive(),
  })
  .partial();

/** Where drawings and pictures are kept, and who is told how far they are. */
type SceneContext = Pick<TaskContext, "terminal" | "cache" | "signal">;

/** The drawings of the six teams: read from the cache, or drawn once with a progress bar. */
export async function openSprites({ terminal, cache, signal }: SceneContext): Promise<SpriteSheet> {
  const progress = lateProgress(terminal, "drawings");
  return loadSprites({
    cacheFolder: cache,
    onProgress: progress.update,
    ...(signal && { signal }),
  }).finally(progress.stop);
}

/** The folder of a built picture task. The same options share one folder. */
export async function openScenes(context: TaskContext): Promise<string> {
  const options = sceneOptions(context.recipe.data.builder?.options ?? {});
  const key = createHash("sha256").update(JSON.stringify(options)).digest("hex").slice(0, 12);
  const folder = context.recipe.data.folder ?? join(context.cache, `scenes-${key}`);
  await writeScenes(context, folder, options);
  return folder;
}

/** Builds a picture task into a folder; one that was built from the same options is kept. */
export async function writeScenes(
  context: SceneContext,
  folder: string,
  options: SceneOptions,
): Promise<SceneManifest> {
  const sheet = await openSprites(context);
  const progress = lateProgress(context.terminal, "pictures");
  const { signal } = context;
  const target = { sheet, options, onProgress: progress.update, ...(signal && { signal }) };
  return buildScenes(folder, target).finally(progress.stop);
}

/** A progress bar that appears with the first progress. */
function lateProgress(terminal: Terminal, title: string) {
  let progress: Progress | undefined;
  return {
    update: (done: number, total: number): void => {
      progress ??= terminal.progress(title, total);
      progress.update(done);
    },
    stop: () => progress?.stop(),
  };
}

/** @throws `BasicError` `E_RECIPE_INVALID` where an option of the builder is wrong. */
export function sceneOptions(options: ComponentOptions): SceneOptions {
  return checked("scenes", schema, options);
}

/**
 * Options of a recipe's builder that draws in memory and uses some of the options of `scenes` only.
 *
 * @throws `BasicError` `E_RECIPE_INVALID` where one is wrong, or would have no effect.
 */
export function builderOptions(recipe: Recipe, known: readonly (keyof SceneOptions)[]): SceneOptions {
  const { name = "", options = {} } = recipe.data.builder ?? {};
  const unused = Object.keys(options).filter((option) => option in schema.shape && !includes(known, option));
  if (unused.length > 0) {
    throw new BasicError(
      "E_RECIPE_INVALID",
      `The builder "${name}" does not use ${unused.join(", ")}: remove it from data.builder.options. Known: ${known.join(", ")}.`,
    );
  }
  return checked(name, schema, options);
}

function includes(list: readonly string[], name: string): boolean {
  return list.includes(name);
}

function checked(builder: string, known: typeof schema, options: ComponentOptions): SceneOptions {
  const parsed = known.safeParse(options);
  if (parsed.success) return parsed.data as SceneOptions;
  throw new BasicError(
    "E_RECIPE_INVALID",
    `Options of the builder "${builder}" are not valid.\n${explainIssues(parsed.error, options)}\nKnown: ${Object.keys(known.shape).join(", ")}.`,
  );
}

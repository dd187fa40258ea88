import type { Random } from "@basic-mllm/core";

import { pick, pickWeighted } from "./draw.js";

/** `solo`: one object in a quadrant. `grid`: one to four objects, some of them the same. */
export type Variant = "solo" | "grid";

/** The quadrants, row by row; each name is one token. */
export const CELLS = ["topleft", "topright", "bottomleft", "bottomright"] as const;

/** A quadrant. */
export type Cell = (typeof CELLS)[number];

/** Background colours: name and red, green, blue. */
export const BACKGROUNDS: readonly (readonly [name: string, rgb: readonly [number, number, number]])[] = [
  ["white", [245, 245, 245]],
  ["gray", [150, 150, 150]],
  ["red", [225, 110, 105]],
  ["orange", [245, 175, 90]],
  ["yellow", [245, 235, 130]],
  ["green", [140, 205, 130]],
  ["blue", [120, 165, 235]],
  ["purple", [185, 140, 215]],
  ["pink", [250, 185, 210]],
  ["black", [40, 40, 40]],
];

/** An empty quadrant in {@link Scene.cells}. */
export const EMPTY = -1;

/** What stands where. */
export interface Scene {
  readonly variant: Variant;
  /** Concept in each of {@link CELLS}, or `-1`. */
  readonly cells: readonly number[];
  /** Index into {@link BACKGROUNDS}. */
  readonly background: number;
}

const OBJECT_COUNTS = [1, 2, 3, 4];
const REPEATING = 0.35;
const REPEATED = 0.6;

/** Draws a scene with concepts of `pool`. */
export function drawScene(random: Random, variant: Variant, pool: readonly number[]): Scene {
  const cells = variant === "solo" ? soloCells(random, pool) : gridCells(random, pool);
  return { variant, cells, background: random.int(BACKGROUNDS.length) };
}

/** The concepts that a scene shows, one entry for each object. */
export function presentConcepts({ cells }: Scene): readonly number[] {
  return cells.filter((concept) => concept !== EMPTY);
}

/** The quadrants that hold an object. */
export function occupiedCells({ cells }: Scene): readonly number[] {
  return cells.flatMap((concept, cell) => (concept === EMPTY ? [] : [cell]));
}

/** Name of a background colour. */
export function backgroundName(background: number): string {
  return BACKGROUNDS[background]?.[0] ?? "";
}

function soloCells(random: Random, pool: readonly number[]): readonly number[] {
  const place = random.int(CELLS.length);
  const concept = pick(random, pool);
  return CELLS.map((_, cell) => (cell === place ? concept : EMPTY));
}

function gridCells(random: Random, pool: readonly number[]): readonly number[] {
  const count = pickWeighted(random, OBJECT_COUNTS) + 1;
  const places = random.permutation(CELLS.length).subarray(0, count);
  const repeating = random.uniform() < REPEATING;
  const base = pick(random, pool);
  const cells = CELLS.map((): number => EMPTY);
  for (const cell of places) {
    cells[cell] = repeating && random.uniform() < REPEATED ? base : pick(random, pool);
  }
  return cells;
}

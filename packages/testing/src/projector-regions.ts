import type { Projector } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { type HostTensor, normalValues } from "./random-values.js";

/**
 * Which rows of an image's embeddings a patch of the image reaches.
 *
 * - `"own"`: the rows whose cell of the output grid lies over the patch, all of them, and no other
 * - `"all"`: every row of the image; the only answer where rows are no grid
 * - `{ reach }`: rows up to that many cells away as well, and no other. Of those at least one changes.
 * - `{ reach, faint: true }`: every row may change (a mean over the image takes part), but those in reach more than the
 *   others, on the average and at most
 */
export type Regions = "own" | "all" | { readonly reach: number; readonly faint?: boolean };

type Size = readonly [height: number, width: number];

/** An image alone, and what it projects to. */
interface RegionCheck {
  readonly projector: Projector;
  /** Features of the image, `[h · w, features]`. */
  readonly rows: HostTensor;
  readonly grid: Size;
  readonly regions: Regions;
}

/** Changes smaller than this are rounding. */
const SAME = 1e-7;

/** Changes one patch after the other, and says which rows changed that should not have, or did not that should have. */
export function regionProblems(check: RegionCheck): readonly string[] {
  const { projector, rows, grid, regions } = check;
  const before = project(projector, rows.values, check);
  const after = projector.gridAfter(grid, grid[0] * grid[1]);
  if (after.grid === null && regions !== "all") {
    return ['rows are no grid: pass `regions: "all"` to testProjector'];
  }
  const features = rows.shape[1] as number;
  return Array.from({ length: grid[0] * grid[1] }, (_, patch) => {
    const values = [...rows.values];
    const push = normalValues(features, `patch ${patch}`);
    for (const [i, value] of push.entries())
      values[patch * features + i] = (values[patch * features + i] ?? 0) + value;
    const changes = changesPerRow(before, project(projector, values, check), after.rows);
    const inReach = changes.map((__, row) =>
      isReached({ patch, row, grid, after: after.grid ?? grid, regions }),
    );
    return problemOf(changes, inReach, regions).map((text) => `patch ${patch}: ${text}`);
  }).flat();
}

function project(projector: Projector, values: readonly number[], { rows, grid }: RegionCheck): Float32Array {
  return tf.tidy(() => {
    const offsets = Int32Array.of(0, grid[0] * grid[1]);
    const input = tf.tensor2d([...values], rows.shape as [number, number]);
    return projector
      .project({ rows: input, offsets, grids: [grid] })
      .rows.dataSync<"float32">()
      .slice();
  });
}

function changesPerRow(before: Float32Array, after: Float32Array, rows: number): readonly number[] {
  const width = before.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    let largest = 0;
    for (let i = row * width; i < (row + 1) * width; i++) {
      largest = Math.max(largest, Math.abs((after[i] as number) - (before[i] as number)));
    }
    return largest;
  });
}

/** Whether a row's cell, grown by the reach, lies over the patch. */
function isReached(place: {
  readonly patch: number;
  readonly row: number;
  readonly grid: Size;
  readonly after: Size;
  readonly regions: Regions;
}): boolean {
  const { patch, row, grid, after, regions } = place;
  if (regions === "all") return true;
  const reach = regions === "own" ? 0 : regions.reach;
  const covers = (axis: 0 | 1, cell: number, at: number): boolean => {
    const scale = grid[axis] / after[axis];
    return at >= Math.floor((cell - reach) * scale) && at < Math.ceil((cell + 1 + reach) * scale);
  };
  return (
    covers(0, Math.floor(row / after[1]), Math.floor(patch / grid[1])) &&
    covers(1, row % after[1], patch % grid[1])
  );
}

function problemOf(
  changes: readonly number[],
  inReach: readonly boolean[],
  regions: Regions,
): readonly string[] {
  const inside = changes.filter((_, row) => inReach[row]);
  const outside = changes.filter((_, row) => !inReach[row]);
  if (typeof regions === "object" && regions.faint === true) {
    const isMost = Math.max(...inside) > Math.max(0, ...outside) && mean(inside) > mean(outside);
    return isMost ? [] : ["rows out of reach change more than those in reach"];
  }
  const stray = changes.findIndex((change, row) => inReach[row] !== true && change > SAME);
  if (stray >= 0)
    return [`row ${stray} changes, which is out of reach. Do the test's \`regions\` fit the projector?`];
  const isSilent = (change: number): boolean => change <= SAME;
  const still = typeof regions === "object" ? inside.every(isSilent) : inside.some(isSilent);
  return still ? ["rows in reach do not change. Do the test's `regions` fit the projector?"] : [];
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

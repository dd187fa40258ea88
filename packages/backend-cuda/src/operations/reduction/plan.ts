/** Threads of a block. */
export const THREADS = 256;

/** Values that a lane takes at least before another one is worth it. */
const PER_LANE = 4;

/** Lanes of a result whose values are apart: the other threads of a block are for its neighbours. */
const MOST_LANES_APART = 8;

/** Blocks that keep a large GPU busy. */
const BUSY = 512;

/** Values that a block reduces at least before it shares them with another one. */
const PER_CHUNK = 4096;

/** How a block is divided: see lanes.cuh. */
export function lanesFor(length: number, contiguous: boolean): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, length / PER_LANE)));
  return Math.min(wanted, contiguous ? THREADS : MOST_LANES_APART);
}

/** Blocks for so many results. */
export function blocksFor(results: number, lanes: number): number {
  return Math.ceil(results / (THREADS / lanes));
}

/** Into how many chunks the reduced axis is cut, so that few long results keep the device busy. */
export function chunksFor(results: number, length: number, lanes: number): number {
  const blocks = Math.max(blocksFor(results, lanes), 1);
  return Math.max(1, Math.min(Math.ceil(length / PER_CHUNK), Math.floor(BUSY / blocks)));
}

/** Neighbouring axes that are all kept or all reduced, as one size. */
export interface AxisGroup {
  readonly reduced: boolean;
  size: number;
}

/** Axes of a shape in groups; axes of size 1 are in none. */
export function groupAxes(shape: readonly number[], axes: readonly number[]): AxisGroup[] {
  const groups: AxisGroup[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const reduced = axes.includes(axis);
    const last = groups.at(-1);
    if (last?.reduced === reduced) last.size *= size;
    else groups.push({ reduced, size });
  }
  return groups;
}

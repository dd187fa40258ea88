import { type ImageRoot, imagesOf } from "@basic-mllm/data";

import type { VlmSet } from "./vlm-data.js";

/** A set, and the share of its samples that is read, 0 to 1. */
export type ReadShare = readonly [set: Pick<VlmSet, "samples" | "imageRoot" | "store">, share: number];

/**
 * Bytes of features that stay in memory once the sets were read, over what is there now. A picture that several sets have is kept
 * once; of shares of a set, those that chance would leave out are not counted.
 */
export function keptFeatures(reads: readonly ReadShare[]): number {
  const roots = new Map<ImageRoot, ReadShare[]>();
  for (const read of reads) {
    const [{ imageRoot }] = read;
    roots.set(imageRoot, [...(roots.get(imageRoot) ?? []), read]);
  }
  return [...roots.values()].reduce((sum, ofRoot) => sum + keptOfRoot(ofRoot), 0);
}

function keptOfRoot(reads: readonly ReadShare[]): number {
  const missed = new Map<string, number>();
  for (const [{ samples }, share] of reads) {
    for (const image of imagesOf(samples)) missed.set(image, (missed.get(image) ?? 1) * (1 - share));
  }
  const expected = [...missed.values()].reduce((sum, chance) => sum + 1 - chance, 0);
  const likely = [...missed].sort(([, a], [, b]) => a - b).slice(0, Math.round(expected));
  const [first] = reads;
  return first?.[0].store.growth?.(likely.map(([image]) => image)) ?? 0;
}

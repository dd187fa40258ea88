import { BasicError } from "../errors.js";

/** How the shallow blocks are mixed into the refined embeddings (method.md, 2). */
export type LayerWeightScheme = "increasing" | "constant" | "decreasing";

/**
 * Number of supervised shallow blocks of an LLM: `k = max(1, floor(l / 2))` (method.md, 1).
 *
 * @param depth - Number of blocks `l`.
 */
export function supervisedDepth(depth: number): number {
  return Math.max(1, Math.floor(depth / 2));
}

/**
 * Weights of the supervised blocks in the refined embedding, `w_1 .. w_k` (method.md, 2).
 *
 * ```text
 * increasing  w_i = i² / Σ m²      constant  w_i = 1 / k      decreasing  w_i = (k − i + 1)² / Σ m²
 * ```
 *
 * Source: BASIC (arXiv:2508.06895), equation 3 and its ablation.
 *
 * @param k - Number of supervised blocks, at least 1.
 * @returns `[k]`, of sum 1.
 * @throws {@link BasicError} `E_CONFIG` when `k` is not a positive integer.
 */
export function layerWeights(k: number, scheme: LayerWeightScheme = "increasing"): readonly number[] {
  if (!Number.isInteger(k) || k < 1) {
    throw new BasicError(
      "E_CONFIG",
      `layerWeights: the number of supervised blocks must be an integer of at least 1, got ${k}. ` +
        "Leave `depth` out to supervise the first half of the blocks.",
    );
  }
  const indices = Array.from({ length: k }, (_, i) => i + 1);
  if (scheme === "constant") return indices.map(() => 1 / k);
  const total = indices.reduce((sum, i) => sum + i * i, 0);
  const increasing = indices.map((i) => (i * i) / total);
  return scheme === "increasing" ? increasing : increasing.reverse();
}

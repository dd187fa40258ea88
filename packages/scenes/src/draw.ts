import type { Random } from "@basic-mllm/core";

/** One of `items`, all equally likely. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.int(items.length)] as Item;
}

/** Index into `weights`, each as likely as its weight. */
export function pickWeighted(random: Random, weights: readonly number[]): number {
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return index;
  }
  return weights.length - 1;
}

/** The items in random order. */
export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  return Array.from(random.permutation(items.length), (index) => items[index] as Item);
}

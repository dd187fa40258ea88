import type { Sample, VisualStore } from "@basic-mllm/data";
import { expect, it } from "vitest";

import { keptFeatures } from "./kept-features.js";

/** A picture takes as many bytes as its name says; `most` fit. */
function storeOf(most = Number.POSITIVE_INFINITY): Pick<VisualStore, "growth"> {
  return {
    growth: (images) =>
      Math.min(
        most,
        images.reduce((sum, image) => sum + Number(image), 0),
      ),
  };
}

function setOf(imageRoot: string, images: readonly string[], store = storeOf()) {
  const samples = images.map((image) => ({ images: [image] }) as unknown as Sample);
  return { imageRoot, samples, store: store as VisualStore };
}

it("counts a picture once, however many sets have it", () => {
  const [first, second] = [setOf("a", ["1", "2", "4"]), setOf("a", ["4", "8", "4"])];
  expect(
    keptFeatures([
      [first, 1],
      [second, 1],
      [first, 1],
    ]),
  ).toBe(15);
});

it("keeps folders apart, and asks each once for its room", () => {
  const small = storeOf(5);
  const sets = [setOf("a", ["4"], small), setOf("a", ["3"], small), setOf("b", ["4"])] as const;
  expect(keptFeatures(sets.map((set) => [set, 1]))).toBe(5 + 4);
});

it("takes as many pictures as shares are likely to read, those first that are surely read", () => {
  const set = setOf("a", ["10", "10.0", "10.00", "10.000"]);
  expect(keptFeatures([[set, 0.5]])).toBe(20);
  // Each is left out by both with a chance of a quarter.
  expect(
    keptFeatures([
      [set, 0.5],
      [set, 0.5],
    ]),
  ).toBe(30);
  expect(
    keptFeatures([
      [setOf("a", ["1", "2"]), 0.5],
      [setOf("a", ["4", "8"]), 1],
    ]),
  ).toBe(4 + 8 + 1);
  expect(keptFeatures([[set, 0]])).toBe(0);
  expect(keptFeatures([])).toBe(0);
});

it("is nothing where a store keeps nothing", () => {
  expect(keptFeatures([[setOf("a", ["1"], {}), 1]])).toBe(0);
});

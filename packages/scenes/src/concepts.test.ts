import { describe, expect, it } from "vitest";

import { plainSheet } from "../test/sheet.js";
import { conceptPools, toConcept, wordsOf } from "./concepts.js";
import { readEmoji } from "./emoji.js";

describe("wordsOf", () => {
  it("folds case, accents, hyphens and possessives, and keeps punctuation apart", () => {
    expect(wordsOf("Women’s ice-skate, piñata.")).toEqual(["women", "ice", "skate", ",", "pinata", "."]);
  });
});

describe("readEmoji", () => {
  it("gives every candidate a kind, and leaves the clock faces out", async () => {
    const emoji = await readEmoji();
    expect(emoji.length).toBeGreaterThan(600);
    expect(emoji.some(({ label }) => label.includes("o’clock"))).toBe(false);
    const concepts = emoji.flatMap((candidate) => toConcept(candidate) ?? []);
    expect(concepts.find(({ name }) => name === "lion")).toMatchObject({
      kind: "mammal",
      group: "animals-nature",
      tagWords: expect.arrayContaining(["mane"]),
    });
    const unnamed = concepts.filter(({ kind, subgroup }) => kind === "object" && subgroup !== "other-object");
    expect(unnamed).toEqual([]);
  });
});

describe("conceptPools", () => {
  it("takes animals and food with one-word names, and holds out one in eight", () => {
    const { concepts } = plainSheet();
    const { all, seen, heldOut } = conceptPools(concepts);
    expect([all.length, seen.length, heldOut.length]).toEqual([21, 18, 2]);
    expect([...seen, ...heldOut].map((index) => concepts[index]?.name)).not.toContain("post office");
    expect(new Set([...seen, ...heldOut]).size).toBe(20);
  });

  it("holds out as many as asked for, and always the same", () => {
    const { concepts } = plainSheet();
    expect(conceptPools(concepts, 5).heldOut).toHaveLength(5);
    expect(conceptPools(concepts, 5)).toEqual(conceptPools(concepts, 5));
  });
});

import { createRandom } from "@basic-mllm/core";

import { shuffled } from "./draw.js";

/** A thing that all teams drew. */
export interface Emoji {
  /** CLDR short name, for example `black cat`. */
  readonly label: string;
  readonly hexcode: string;
  readonly tags: readonly string[];
  /** CLDR group and subgroup, for example `animals-nature` and `animal-mammal`. */
  readonly group: string;
  readonly subgroup: string;
}

/** A thing that scenes show and questions name. */
export interface Concept extends Emoji {
  /** The label in words of the vocabulary. */
  readonly name: string;
  /** What kind of thing it is: the subgroup in words. */
  readonly kind: string;
  /** The tags in words of the vocabulary. */
  readonly tagWords: readonly string[];
}

/** Subgroup of CLDR to the kind that questions ask for. */
export const KINDS: Readonly<Record<string, string>> = {
  "animal-mammal": "mammal",
  "animal-bird": "bird",
  "animal-bug": "bug",
  "animal-marine": "sea animal",
  "animal-reptile": "reptile",
  "animal-amphibian": "amphibian",
  "plant-flower": "flower",
  "plant-other": "plant",
  "food-fruit": "fruit",
  "food-vegetable": "vegetable",
  "food-prepared": "meal",
  "food-asian": "asian food",
  "food-marine": "seafood",
  "food-sweet": "sweet",
  drink: "drink",
  dishware: "dishware",
  "place-map": "map",
  "place-geographic": "landscape",
  "place-building": "building",
  "place-religious": "religious place",
  "place-other": "place",
  "transport-ground": "vehicle",
  "transport-water": "boat",
  "transport-air": "aircraft",
  hotel: "hotel item",
  time: "clock",
  "sky-weather": "weather",
  event: "party item",
  "award-medal": "award",
  sport: "sport",
  game: "game",
  "arts-crafts": "craft",
  clothing: "clothing",
  sound: "sound",
  music: "music",
  "musical-instrument": "instrument",
  phone: "phone",
  computer: "computer",
  "light-video": "film and light",
  "book-paper": "book or paper",
  money: "money",
  mail: "mail",
  writing: "writing",
  office: "office item",
  lock: "lock",
  tool: "tool",
  science: "science",
  medical: "medicine",
  household: "household item",
  "other-object": "object",
};

const LONGEST_NAME = 3;

/** Splits text into the words of the task: lower case, no apostrophes, accents folded, punctuation apart. */
export function wordsOf(text: string): readonly string[] {
  const plain = text
    .toLowerCase()
    .replaceAll(/[’']s/g, "")
    .replaceAll("-", " ")
    .replaceAll("’", "")
    .normalize("NFD")
    .replaceAll(/\p{Diacritic}/gu, "");
  return plain.match(/[a-z0-9]+|[.,?:]/g) ?? [];
}

/** Names an emoji, its kind and its tags in words; null where the name has more than three words. */
export function toConcept(emoji: Emoji): Concept | null {
  const words = wordsOf(emoji.label);
  if (words.length === 0 || words.length > LONGEST_NAME) return null;
  return {
    ...emoji,
    name: words.join(" "),
    kind: KINDS[emoji.subgroup] ?? "object",
    tagWords: emoji.tags.map((tag) => wordsOf(tag).join(" ")).filter((tag) => tag !== ""),
  };
}

/** Which concepts the pictures of the task show, as indices into the concept list. */
export interface ConceptPools {
  /** Every concept. */
  readonly all: readonly number[];
  /** Animals and food with a name of one word, for training. */
  readonly seen: readonly number[];
  /** The same kind of concept, never shown in training. */
  readonly heldOut: readonly number[];
}

/**
 * Splits the animals and food with one-word names into seen and held-out concepts.
 *
 * The split does not depend on the seed of the scenes, so that runs with different seeds compare.
 *
 * @param heldOut - How many concepts to hold out; default one in eight.
 */
export function conceptPools(concepts: readonly Concept[], heldOut?: number): ConceptPools {
  const all = concepts.map((_, index) => index);
  const pool = all.filter((index) => {
    const { group, name } = concepts[index] as Concept;
    return (group === "animals-nature" || group === "food-drink") && !name.includes(" ");
  });
  const count = heldOut ?? Math.floor(pool.length / 8);
  const order = shuffled(createRandom(0, "held-out"), pool);
  const held = new Set(order.slice(0, count));
  return {
    all,
    seen: pool.filter((index) => !held.has(index)),
    heldOut: pool.filter((index) => held.has(index)),
  };
}

/** Concepts by kind's subgroup, to draw look-alike negatives from. */
export function bySubgroup(concepts: readonly Concept[]): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>();
  for (const [index, { subgroup }] of concepts.entries()) {
    groups.set(subgroup, [...(groups.get(subgroup) ?? []), index]);
  }
  return groups;
}

import { type Concept, toConcept } from "../src/concepts.js";
import { SPRITE_CELL, SPRITE_SIZES, type SpriteSheet } from "../src/sprite-sheet.js";
import { STYLES } from "../src/styles.js";

const ANIMALS = [
  "lion",
  "dog",
  "cat",
  "tiger",
  "horse",
  "cow",
  "pig",
  "mouse",
  "rabbit",
  "bear",
  "koala",
  "ox",
];
const FRUIT = ["apple", "banana", "cherries", "mango", "pear", "grapes", "melon", "lemon"];

function concept(label: string, group: string, subgroup: string): Concept {
  const made = toConcept({ label, hexcode: label, tags: [subgroup, `wild ${label}`], group, subgroup });
  if (made === null) throw new Error(`the name ${label} is too long`);
  return made;
}

/** A sheet without drawings of artists: each concept and style is a square of one colour. */
export function plainSheet(): SpriteSheet {
  const concepts = [
    ...ANIMALS.map((label) => concept(label, "animals-nature", "animal-mammal")),
    ...FRUIT.map((label) => concept(label, "food-drink", "food-fruit")),
    concept("post office", "travel-places", "place-building"),
  ];
  const each = SPRITE_CELL * SPRITE_CELL * 4;
  const pixels = new Uint8Array(concepts.length * STYLES.length * SPRITE_SIZES.length * each);
  for (let i = 0; i < pixels.length; i++) {
    const sprite = Math.floor(i / each);
    // The first pixel is clear, so that a sprite never covers its quadrant.
    const clear = i % each < 4;
    pixels[i] = clear ? 0 : i % 4 === 3 ? 255 : (sprite * 37 + (i % 4) * 91) % 256;
  }
  return { concepts, sources: [], pixels };
}
